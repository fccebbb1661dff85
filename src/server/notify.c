/* notify: see notify.h. */
#include "notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *socket_path, const char *format, ...)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char state[512];
	size_t len;
	va_list ap;
	int fd;

	if (!socket_path || (len = strlen(socket_path)) >= sizeof address.sun_path)
		return;
	memcpy(address.sun_path, socket_path, len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract namespace */
	va_start(ap, format);
	vsnprintf(state, sizeof state, format, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
