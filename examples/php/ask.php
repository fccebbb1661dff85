<?php
// Asks c1d in the name of the user that this site has signed in, and passes the answer on as it is written.
//
//     POST ask.php   {"message": "Show a table", "thread_id": "t1"}
require __DIR__ . '/token.php';

session_start();
$user = $_SESSION['user'] ?? '';
session_write_close(); // else every other page of this user waits until the answer is written

function refuse(int $status, string $why): never
{
    http_response_code($status);
    header('Content-Type: text/plain');
    exit("$why\n");
}

if ($user === '')
    refuse(401, 'Sign in first.');
if ($_SERVER['REQUEST_METHOD'] !== 'POST' || !str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/json'))
    refuse(415, 'POST a question as application/json.'); // which no form of another site can send

// Nothing between here and the browser may keep the pieces back.
set_time_limit(0);
ini_set('zlib.output_compression', '0');
while (ob_get_level())
    ob_end_clean();
if (function_exists('apache_setenv'))
    apache_setenv('no-gzip', '1');
header('X-Accel-Buffering: no');
header('Cache-Control: no-store, no-transform');

$passed = ['content-type', 'retry-after', 'x-run-id', 'x-thread-id', 'x-response-id'];
$ask = curl_init((getenv('C1D') ?: 'http://127.0.0.1:8080') . '/api/chat?stream=sse');
curl_setopt_array($ask, [
    CURLOPT_POSTFIELDS => file_get_contents('php://input'),
    CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Authorization: Bearer ' . c1d_token($user), 'Expect:'],
    CURLOPT_HEADERFUNCTION => function ($ask, string $line) use ($passed): int {
        if (preg_match('#^HTTP/\S+ (\d+)#', $line, $found))
            http_response_code((int) $found[1]);
        elseif (in_array(strtolower(strtok($line, ':')), $passed, true))
            header(rtrim($line));
        return strlen($line);
    },
    CURLOPT_WRITEFUNCTION => function ($ask, string $piece): int {
        echo $piece;
        flush(); // and here PHP ends, when the browser has left: c1d finishes the answer and keeps it
        return strlen($piece);
    },
    CURLOPT_CONNECTTIMEOUT => 5,
    CURLOPT_LOW_SPEED_LIMIT => 1, // c1d says something every 15 s
    CURLOPT_LOW_SPEED_TIME => 60,
]);
if (!curl_exec($ask) && !headers_sent()) {
    header('Retry-After: 2');
    refuse(503, 'The chat does not answer. Try again in a moment.');
}
