<?php
// A token for a user of this site, signed with the secret that c1d knows: C1D_JWT_SECRET, C1D_JWT_ISSUER and C1D_JWT_AUDIENCE here
// are the same words as in /etc/c1d/c1d.conf. The secret comes from the environment (php-fpm: env[C1D_JWT_SECRET] = …), and stands in
// no file that the web server could show.

const TOKEN_SECONDS = 3600;

function base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function setting(string $name): string
{
    $value = getenv($name);
    if ($value === false || $value === '')
        throw new RuntimeException("$name is not set");
    return $value;
}

function c1d_token(string $user): string
{
    $claims = ['sub' => $user, 'iss' => setting('C1D_JWT_ISSUER'), 'aud' => setting('C1D_JWT_AUDIENCE'), 'exp' => time() + TOKEN_SECONDS];
    $signed = base64url('{"alg":"HS256","typ":"JWT"}') . '.' . base64url(json_encode($claims, JSON_THROW_ON_ERROR));
    return $signed . '.' . base64url(hash_hmac('sha256', $signed, setting('C1D_JWT_SECRET'), true));
}
