/* notify: what systemd is told (sd_notify(3)), without its library: one datagram. */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* socket_path: NOTIFY_SOCKET, or NULL: nobody asked. state: "READY=1\nSTATUS=..." */
void notify_send(const char *socket_path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
