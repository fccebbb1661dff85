<?php
// Signs in at c1d whom this site has signed in. Call it when your site has done so, and again before the token ends; then the
// browser asks c1d itself, and no PHP process waits while an answer is written.
require __DIR__ . '/token.php';

session_start();
$user = $_SESSION['user'] ?? ''; // whom your site has signed in: its lasting id, not a name that somebody else may get later
session_write_close();

// No script can read the cookie, no other site can use it, and it goes to the API alone.
$cookie = ['path' => '/api/', 'httponly' => true, 'samesite' => 'Lax', 'secure' => !empty($_SERVER['HTTPS'])];
header('Cache-Control: no-store');
if ($user === '') {
    setcookie('__session', '', ['expires' => 1] + $cookie);
    http_response_code(401);
    exit("Sign in first.\n");
}
setcookie('__session', c1d_token($user), $cookie); // gone with the browser, as the session's is
http_response_code(204);
