/* serve_host.c - a host that the hostile clients of serve_http.py must not be able to harm.
 *
 * It never touches SIGPIPE, counts in a loop, and obeys lines on its standard input: "http" accepts one connection at its own socket
 * and gives it to cpprof_http, "write PROFILE DEBUG FILE" calls cpprof_write, "beat" prints how far it has counted, "quit".
 * The library is looked up at run time: without it, it says so and ends.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int (*serve)(const char *);
static size_t (*address)(char *, size_t);
static int (*http)(int);
static int (*write_profile)(const char *, int, int);
static _Atomic unsigned long beats;

static void *beat(void *unused)
{
	for (;;) {
		atomic_fetch_add(&beats, 1);
		usleep(1000);
	}
	return unused;
}

static void find(const char *name, void *ret_function)
{
	void *function = dlsym(RTLD_DEFAULT, name);
	if (!function) {
		printf("no %s\n", name);
		exit(1);
	}
	memcpy(ret_function, &function, sizeof(function));
}

static int listen_at_loopback(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&at, &size)) {
		perror("listen");
		exit(1);
	}
	printf("own 127.0.0.1:%d\n", ntohs(at.sin_port));
	return fd;
}

static void serve_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	int flags = fcntl(fd, F_GETFL);
	errno = 77;
	int result = http(fd);
	printf("http %d errno %d flags %s\n", result, errno, fcntl(fd, F_GETFL) == flags ? "same" : "changed");
	close(fd);
}

static void write_to(const char *arguments)
{
	char profile[64], file[1024];
	int debug;
	if (sscanf(arguments, "%63s %d %1023s", profile, &debug, file) != 3)
		return;
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	errno = 77;
	int result = write_profile(profile, fd, debug);
	printf("write %d errno %d\n", result, errno);
	close(fd);
}

int main(void)
{
	char line[2048], where[128];
	pthread_t thread;
	setvbuf(stdout, NULL, _IOLBF, 0);
	find("cpprof_serve", &serve);
	find("cpprof_address", &address);
	find("cpprof_http", &http);
	find("cpprof_write", &write_profile);
	if (pthread_create(&thread, NULL, beat, NULL))
		return 1;
	int result = serve("127.0.0.1:0");
	address(where, sizeof(where));
	printf("serve %d %s\n", result, where);
	int listener = listen_at_loopback();
	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, "http\n") == 0)
			serve_one(listener);
		else if (strncmp(line, "write ", 6) == 0)
			write_to(line + 6);
		else if (strcmp(line, "beat\n") == 0)
			printf("beat %lu\n", atomic_load(&beats));
		else if (strcmp(line, "quit\n") == 0)
			break;
	}
	return 0;
}
