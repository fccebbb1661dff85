<?php
/**
 * Plugin Name: c1d chat
 * Description: [c1d_chat] puts the chat of c1d into a page. Who has signed in here has signed in there.
 *
 * Into wp-content/mu-plugins/. The chat's page comes from nginx (c1d-chat.nginx); WordPress only frames it. Signing in is switched on
 * by C1D_JWT_SECRET, C1D_JWT_ISSUER and C1D_JWT_AUDIENCE in wp-config.php, the same words as in /etc/c1d/c1d.conf. Without them
 * each browser is a visitor (C1D_AUTH=visitor).
 */
defined('ABSPATH') || exit;

const C1D_TOKEN_SECONDS = 12 * 3600; // each page of the site that is opened gives a new one

add_shortcode('c1d_chat', function ($attributes): string {
    $told = shortcode_atts(['height' => '600'], $attributes);
    // "alignwide" is as wide as a theme has it: from 768 px on there is room for the list of chats beside the chat.
    return sprintf('<div class="alignwide"><iframe src="%s" title="%s" loading="lazy" allow="clipboard-write" style="display:block;width:100%%;height:%dpx;border:1px solid #8884;border-radius:12px"></iframe></div>',
        esc_url('/c1d-chat/'), esc_attr__('Chat'), max(320, (int) $told['height']));
});

function c1d_base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function c1d_token(WP_User $user): string
{
    $claims = ['sub' => "wp-{$user->ID}", 'iss' => C1D_JWT_ISSUER, 'aud' => C1D_JWT_AUDIENCE, 'exp' => time() + C1D_TOKEN_SECONDS];
    $signed = c1d_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . c1d_base64url(wp_json_encode($claims));
    return $signed . '.' . c1d_base64url(hash_hmac('sha256', $signed, C1D_JWT_SECRET, true));
}

// No script can read it, no other site can use it, and it goes to the API alone.
function c1d_cookie(string $value, int $expires): void
{
    setcookie('__session', $value, ['expires' => $expires, 'path' => '/api/', 'httponly' => true, 'samesite' => 'Lax', 'secure' => is_ssl()]);
}

if (defined('C1D_JWT_SECRET')) {
    // Before anything of a page is sent. Others get no Set-Cookie, so that caches of pages may keep what they are shown.
    add_action('template_redirect', function (): void {
        if (!is_user_logged_in())
            return;
        nocache_headers();
        c1d_cookie(c1d_token(wp_get_current_user()), 0); // gone with the browser: its next user may be somebody else
    });
    add_action('wp_logout', function (): void {
        c1d_cookie('', 1);
    });
}
