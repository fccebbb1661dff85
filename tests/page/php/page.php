<?php
// What stands for WordPress in test_examples.py: what the snippet calls, as WordPress documents it, and a page with its shortcode.
define('ABSPATH', __DIR__);
foreach (['C1D_JWT_SECRET', 'C1D_JWT_ISSUER', 'C1D_JWT_AUDIENCE'] as $name)
    define($name, getenv($name));

class WP_User
{
    public function __construct(public int $ID)
    {
    }
}

$shortcodes = $actions = [];
function add_shortcode(string $tag, callable $shown): void { $GLOBALS['shortcodes'][$tag] = $shown; }
function add_action(string $name, callable $done): bool { $GLOBALS['actions'][$name][] = $done; return true; }
function do_action(string $name): void { foreach ($GLOBALS['actions'][$name] ?? [] as $done) $done(); }
function shortcode_atts(array $known, array|string $given): array { return array_merge($known, array_intersect_key((array) $given, $known)); }
function wp_get_current_user(): WP_User { return new WP_User((int) ($_GET['user'] ?? 0)); }
function is_user_logged_in(): bool { return wp_get_current_user()->ID > 0; }
function is_ssl(): bool { return !empty($_SERVER['HTTPS']); }
function nocache_headers(): void { header('Cache-Control: no-cache, must-revalidate, max-age=0'); }
function esc_url(string $url): string { return htmlspecialchars($url, ENT_QUOTES); }
function esc_attr__(string $text): string { return htmlspecialchars($text, ENT_QUOTES); }
function wp_json_encode(mixed $data): string { return json_encode($data); }

require __DIR__ . '/c1d-chat.php';
do_action(isset($_GET['logout']) ? 'wp_logout' : 'template_redirect');
echo '<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,"><h1>Ask us</h1>', $shortcodes['c1d_chat'](['height' => '700']);
