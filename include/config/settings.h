/*
 * settings: the table. X(field, name, kind, default, min, max, help)
 * Kinds: TEXT (char *, NULL when unset), SECRET (TEXT that is never shown), COUNT and MS and BYTES
 * (int64_t with bounds; BYTES takes k, m, g suffixes), BOOL (yes/no), RATE (10/minute or off),
 * SIZE-less lists are TEXT. A help text is one line.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* How often: so many at once, then as many each window, evenly. */
struct rate {
	int64_t count; /* 0: off, no limit */
	int64_t window_s;
};

#define SETTING_TYPE_TEXT   char *
#define SETTING_TYPE_SECRET char *
#define SETTING_TYPE_COUNT  int64_t
#define SETTING_TYPE_MS     int64_t
#define SETTING_TYPE_BYTES  int64_t
#define SETTING_TYPE_BOOL   bool
#define SETTING_TYPE_RATE   struct rate

/* clang-format off */
#define SETTINGS(X) \
	X(api_key, "THESYS_API_KEY", SECRET, NULL, 0, 0, "key of the C1 API (or the credential thesys-api-key)") \
	X(base_url, "THESYS_BASE_URL", TEXT, "https://api.thesys.dev/v1/embed", 0, 0, "where the C1 API is; /chat/completions is appended") \
	X(model, "THESYS_MODEL", TEXT, "c1/anthropic/claude-sonnet-4/v-20251230", 0, 0, "model that answers unless a request names another") \
	X(models, "C1D_MODELS", TEXT, NULL, 0, 0, "further models that a request may name, separated by spaces") \
	X(ca_file, "THESYS_CA_FILE", TEXT, NULL, 0, 0, "CA bundle for a private C1 endpoint; the system's unless set") \
	X(system_prompt, "C1D_SYSTEM_PROMPT", TEXT, NULL, 0, 0, "system message put before every conversation") \
	X(store, "C1D_STORE", TEXT, NULL, 0, 0, "store as a URI, such as sqlite:PATH; wins over all that follow, of which one may be set") \
	X(mongodb_uri, "MONGODB_URI", SECRET, NULL, 0, 0, "MongoDB: mongodb://... (or the credential mongodb-uri)") \
	X(database_url, "DATABASE_URL", SECRET, NULL, 0, 0, "PostgreSQL: postgresql://... (or the credential database-url)") \
	X(firebase_project_id, "FIREBASE_PROJECT_ID", TEXT, NULL, 0, 0, "Firestore: the project's id") \
	X(firebase_client_email, "FIREBASE_CLIENT_EMAIL", TEXT, NULL, 0, 0, "Firestore: client_email of the service account") \
	X(firebase_private_key, "FIREBASE_PRIVATE_KEY", SECRET, NULL, 0, 0, "Firestore: private_key of the service account, newlines as \\n (or the credential firebase-private-key)") \
	X(firebase_private_key_id, "FIREBASE_PRIVATE_KEY_ID", TEXT, NULL, 0, 0, "Firestore: private_key_id of the service account; goes into what it signs") \
	X(firebase_client_id, "FIREBASE_CLIENT_ID", TEXT, NULL, 0, 0, "Firestore: client_id of the service account; nothing needs it") \
	X(google_credentials, "GOOGLE_APPLICATION_CREDENTIALS", TEXT, NULL, 0, 0, "Firestore: the service account's JSON file, instead of these") \
	X(firestore_emulator, "FIRESTORE_EMULATOR_HOST", TEXT, NULL, 0, 0, "Firestore: host:port of Google's emulator, which takes anybody; for development") \
	X(state_dir, "C1D_STATE_DIR", TEXT, "/var/lib/c1d", 0, 0, "folder of the node's name, the secret, the spool and the SQLite store") \
	X(spool_dir, "C1D_SPOOL_DIR", TEXT, NULL, 0, 0, "folder of answers in flight, on a local disk; spool/ in the state folder unless set") \
	X(spool_reserve, "C1D_SPOOL_RESERVE", BYTES, "64m", 0, 1LL << 50, "free bytes below which new turns are refused") \
	X(spool_max, "C1D_SPOOL_MAX", BYTES, "4g", 1 << 20, 1LL << 50, "cap of the spool folder; new turns are refused over it") \
	X(answer_max, "C1D_ANSWER_MAX", BYTES, "8m", 1024, 8 << 20, "cap of one answer; it ends there with status length") \
	X(socket, "C1D_SOCKET", TEXT, "/run/c1d-socket/c1d.sock", 0, 0, "socket that nginx connects to, unless systemd passes one") \
	X(socket_group, "C1D_SOCKET_GROUP", TEXT, NULL, 0, 0, "group of the socket (mode 0660); the web server's") \
	X(origins, "C1D_ORIGINS", TEXT, NULL, 0, 0, "origins of pages elsewhere that may call this (https://host), separated by spaces") \
	X(auth, "C1D_AUTH", TEXT, "none", 0, 0, "who is let in: none (everybody, and everybody sees everything), visitor (each browser sees its own), jwt, firebase (signed tokens), header (whom the web server has signed in); several: the first that knows who it is") \
	X(visitor_secret, "C1D_VISITOR_SECRET", SECRET, NULL, 0, 0, "what visitors' cookies are signed with, where several nodes share visitors: 32 bytes or more, newer ones first; a file in the state folder unless set") \
	X(jwt_secret, "C1D_JWT_SECRET", SECRET, NULL, 0, 0, "jwt: what tokens are signed with (HS256), 32 bytes or more (or the credential c1d-jwt-secret)") \
	X(jwt_key_file, "C1D_JWT_KEY_FILE", TEXT, NULL, 0, 0, "jwt: the issuer's public keys: PEM, certificates, or a JWK set; read at the start and on a reload") \
	X(jwt_jwks_url, "C1D_JWT_JWKS_URL", TEXT, NULL, 0, 0, "jwt: where the issuer publishes its keys as a JWK set (https://...)") \
	X(jwt_issuer, "C1D_JWT_ISSUER", TEXT, NULL, 0, 0, "jwt: who has to have made a token (iss); anybody with the key unless set") \
	X(jwt_audience, "C1D_JWT_AUDIENCE", TEXT, NULL, 0, 0, "jwt: whom a token has to be for (aud); unless set those that are for somebody are refused") \
	X(jwt_algorithms, "C1D_JWT_ALGORITHMS", TEXT, NULL, 0, 0, "jwt: the issuer's algorithms, of HS256 RS256 PS256 ES256 (and 384, 512) and EdDSA; HS256 with a secret, else RS256 ES256 EdDSA, by the key's type") \
	X(jwt_user_claim, "C1D_JWT_USER_CLAIM", TEXT, "sub", 0, 0, "jwt: the claim that names the user") \
	X(firebase_project, "C1D_FIREBASE_PROJECT", TEXT, NULL, 0, 0, "firebase: the project's id") \
	X(firebase_keys_url, "C1D_FIREBASE_KEYS_URL", TEXT, "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com", 0, 0, "firebase: where Google publishes its keys") \
	X(auth_cookie, "C1D_AUTH_COOKIE", TEXT, "__session", 0, 0, "jwt, firebase: the cookie that may hold the token where no Authorization header does; empty: none") \
	X(auth_header, "C1D_AUTH_HEADER", TEXT, NULL, 0, 0, "header: the FastCGI parameter by which the web server says whom it has signed in (no HTTP_*: clients set those)") \
	X(admin_claim, "C1D_ADMIN_CLAIM", TEXT, NULL, 0, 0, "jwt, firebase: the claim that makes an administrator, as name=value (role=admin)") \
	X(end_expired, "C1D_END_EXPIRED", BOOL, "no", 0, 0, "end an open stream when its token has expired more than a minute ago; otherwise it may finish") \
	X(workers, "C1D_WORKERS", COUNT, "0", 0, 64, "worker processes; 0 is one a core") \
	X(threads, "C1D_THREADS", COUNT, "16", 1, 256, "request threads a worker") \
	X(runs_max, "C1D_RUNS_MAX", COUNT, "5000", 1, 100000, "runs in flight a worker; more are refused with 503") \
	X(runs_per_user, "C1D_RUNS_PER_USER", COUNT, "5", 1, 100000, "answers that may be written for one user at once (of a visitor also by address); more are refused with 429") \
	X(unattended_max, "C1D_UNATTENDED_MAX", COUNT, "3", 0, 1000, "runs of one user that may go on with nobody following") \
	X(unattended_ms, "C1D_UNATTENDED_MS", MS, "30000", 0, 3600000, "how long nobody may follow a run before it counts among those") \
	X(limit_chat, "C1D_LIMIT_CHAT", RATE, "10/minute", 0, 0, "questions of one user (of a visitor also by address): N/second, minute, hour or day, or off") \
	X(limit_read, "C1D_LIMIT_READ", RATE, "off", 0, 0, "requests of one user that read, the same way") \
	X(limit_write, "C1D_LIMIT_WRITE", RATE, "off", 0, 0, "requests of one user that change something, questions excepted, the same way") \
	X(limit_site, "C1D_LIMIT_SITE", RATE, "off", 0, 0, "questions of all users together, such as 5000/day") \
	X(limit_failed, "C1D_LIMIT_FAILED", RATE, "60/minute", 0, 0, "bad tokens and keys from one address, then it is refused unseen") \
	X(trusted_proxies, "C1D_TRUSTED_PROXIES", TEXT, NULL, 0, 0, "networks of proxies whose X-Forwarded-For is believed (10.0.0.0/8), separated by spaces") \
	X(redis_url, "REDIS_URL", SECRET, NULL, 0, 0, "Redis in which several machines count together, and the cache of threads (or the credential redis-url): redis://:password@host:6379/0 or unix:/path") \
	X(cache_s, "C1D_CACHE_SECONDS", COUNT, "3600", 0, 86400, "how long threads and their newest messages are kept in Redis, in front of the store; 0: they are not") \
	X(memory_max, "C1D_MEMORY_MAX", BYTES, "256m", 64 << 20, 1LL << 40, "memory a worker for large bodies, pages and prompts; over it requests wait, then get 503") \
	X(connect_ms, "C1D_CONNECT_MS", MS, "3000", 10, 60000, "longest wait for a connection to the C1 API") \
	X(first_byte_ms, "C1D_FIRST_BYTE_MS", MS, "30000", 10, 600000, "longest wait for the model's first byte") \
	X(idle_ms, "C1D_IDLE_MS", MS, "60000", 10, 600000, "longest silence in mid answer") \
	X(total_ms, "C1D_TOTAL_MS", MS, "600000", 10, 7200000, "longest answer") \
	X(save_wait_ms, "C1D_SAVE_WAIT_MS", MS, "2000", 0, 60000, "longest wait for the store before an answer's body is closed") \
	X(heartbeat_ms, "C1D_HEARTBEAT_MS", MS, "15000", 100, 60000, "silence after which an SSE stream gets a comment") \
	X(read_ms, "C1D_READ_MS", MS, "5000", 10, 60000, "longest wait for a web server that sends a request") \
	X(write_ms, "C1D_WRITE_MS", MS, "10000", 10, 600000, "longest wait for a web server that takes a short answer") \
	X(drain_s, "C1D_DRAIN_SECONDS", COUNT, NULL, 0, 7300, "how long old workers finish their streams after a reload; as long as an answer may take unless set") \
	X(stop_s, "C1D_STOP_SECONDS", COUNT, "5", 0, 3600, "how long streams may go on after SIGTERM") \
	X(create_threads, "C1D_CREATE_THREADS", BOOL, "yes", 0, 0, "make a thread on the first use of an unknown id") \
	X(history_max, "C1D_HISTORY_MAX", BYTES, "256k", 1024, 64 << 20, "bytes of earlier messages sent to the model, newest first") \
	X(user, "C1D_USER", TEXT, NULL, 0, 0, "user that root becomes at the start, before anything is opened; a unit has User= for it") \
	X(sandbox, "C1D_SANDBOX", BOOL, "yes", 0, 0, "close workers in (system calls, files, ports, capabilities); no: for a debugger") \
	X(log_level, "C1D_LOG_LEVEL", TEXT, "info", 0, 0, "error, warn, notice, info or debug") \
	X(log_format, "C1D_LOG_FORMAT", TEXT, "auto", 0, 0, "auto, json, text or journal")
/* clang-format on */

#endif
