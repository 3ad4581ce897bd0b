/* memload.c - load for memcached: memload SOCKET CONNECTIONS REQUESTS
 *
 * Each connection has one request under way, nine gets for one set, of keys drawn at random. With `fill` instead of REQUESTS it stores
 * all keys, so that later gets find them. Ends when all is answered. Not here: what the server spends on them (runtime_servers.py).
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEYS 10000
#define VALUE_SIZE 100
#define CONNECTIONS_MAX 256

static char value[VALUE_SIZE + 1];
static uint64_t random_state = 88172645463325252u;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * below >> 32);
}

static int connected(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

static void ask(int fd, uint32_t key, bool set)
{
	char request[VALUE_SIZE + 64];
	int length = set ? snprintf(request, sizeof(request), "set key%05u 0 0 %d\r\n%s\r\n", key, VALUE_SIZE, value)
	                 : snprintf(request, sizeof(request), "get key%05u\r\n", key);
	if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		die("send");
}

/* Every answer ends in one of these lines. */
static void take_answer(int fd)
{
	char answer[VALUE_SIZE + 128];
	size_t size = 0;
	for (;;) {
		ssize_t got = recv(fd, answer + size, sizeof(answer) - size, 0);
		if (got <= 0)
			die("recv");
		size += (size_t)got;
		if ((size >= 8 && memcmp(answer + size - 8, "STORED\r\n", 8) == 0) ||
		    (size >= 5 && memcmp(answer + size - 5, "END\r\n", 5) == 0))
			return;
		if (size == sizeof(answer) || memcmp(answer, "ERROR", size < 5 ? size : 5) == 0) {
			fprintf(stderr, "memload: no answer to a request: %.*s\n", (int)size, answer);
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	int fds[CONNECTIONS_MAX], count = argc > 2 ? atoi(argv[2]) : 0;
	if (argc != 4 || count < 1 || count > CONNECTIONS_MAX) {
		fputs("usage: memload SOCKET CONNECTIONS REQUESTS|fill\n", stderr);
		return 2;
	}
	memset(value, 'v', VALUE_SIZE);
	for (int i = 0; i < count; i++)
		fds[i] = connected(argv[1]);
	if (strcmp(argv[3], "fill") == 0) {
		for (uint32_t key = 0; key < KEYS; key++) {
			ask(fds[0], key, true);
			take_answer(fds[0]);
		}
		return 0;
	}
	long requests = atol(argv[3]);
	for (long answered = 0; answered < requests; answered += count) {
		for (int i = 0; i < count; i++)
			ask(fds[i], draw(KEYS), draw(10) == 0);
		for (int i = 0; i < count; i++)
			take_answer(fds[i]);
	}
	return 0;
}
