/* truth_io.c - a program that waits for descriptors, time and processes, and knows for how long (truth.h).
 *
 *     truth_io DIRECTORY [ROUNDS]
 *
 * DIRECTORY: for files of its own. One function for each call, in_NAME. Sleeps know another lower bound, what they were asked for; of fsync
 * only the upper one is known. Prints the truths and "done"; a line on standard input ends it.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "truth.h"

#define SLEEP_NS 3000000ll

static int ends[2], pair[2], listener, epoll_fd, locked_fd, locking_fd, synced_fd, full_listener, release_child[2];
static struct address {
	struct sockaddr_un name;
	socklen_t size;
} listening, full_listening;
static pid_t child;

static void drain(void)
{
	char bytes[64];
	truth_require(read(ends[0], bytes, sizeof(bytes)) > 0, "nothing to drain");
}

static void write_pipe(void)
{
	truth_require(write(ends[1], "x", 1) == 1, "pipe");
}

TRUTH_FUNCTION void in_epoll_wait(void)
{
	struct epoll_event event;
	truth_require(epoll_wait(epoll_fd, &event, 1, -1) == 1, "epoll_wait");
	drain();
}

TRUTH_FUNCTION void in_poll(void)
{
	struct pollfd fd = { ends[0], POLLIN, 0 };
	truth_require(poll(&fd, 1, -1) == 1, "poll");
	drain();
}

TRUTH_FUNCTION void in_select(void)
{
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(ends[0], &fds);
	truth_require(select(ends[0] + 1, &fds, NULL, NULL, NULL) == 1, "select");
	drain();
}

TRUTH_FUNCTION void in_read(void)
{
	char byte;
	truth_require(read(ends[0], &byte, 1) == 1, "read");
}

TRUTH_FUNCTION void in_recv(void)
{
	char byte;
	truth_require(recv(pair[0], &byte, 1, 0) == 1, "recv");
}

static void send_byte(void)
{
	truth_require(send(pair[1], "x", 1, 0) == 1, "send");
}

static void connect_to(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	truth_require(connect(fd, (const struct sockaddr *)&address->name, address->size) == 0, "connect");
	close(fd);
}

TRUTH_FUNCTION void in_accept(void)
{
	int fd = accept(listener, NULL, NULL);
	truth_require(fd >= 0, "accept");
	close(fd);
}

static void connect_listener(void)
{
	connect_to(&listening);
}

static void accept_one(void)
{
	int fd = accept(full_listener, NULL, NULL);
	truth_require(fd >= 0, "accept, of the full one");
	close(fd);
}

/* Its queue has room for one: the next must wait. */
static void fill_queue(void)
{
	connect_to(&full_listening);
}

TRUTH_FUNCTION void in_connect(void)
{
	connect_to(&full_listening);
	accept_one();
}

static void fork_child(void)
{
	truth_require(pipe(release_child) == 0, "no pipe");
	child = fork();
	if (child == 0) {
		char byte;
		close(release_child[1]);
		_exit(read(release_child[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(release_child[0]);
}

TRUTH_FUNCTION void in_waitpid(void)
{
	int status;
	truth_require(waitpid(child, &status, 0) == child && status == 0, "waitpid");
}

static void end_child(void)
{
	close(release_child[1]);
}

static void lock_file(void)
{
	truth_require(flock(locked_fd, LOCK_EX) == 0, "flock");
}

TRUTH_FUNCTION void in_flock(void)
{
	truth_require(flock(locking_fd, LOCK_EX) == 0, "flock");
	flock(locking_fd, LOCK_UN);
}

static void unlock_file(void)
{
	flock(locked_fd, LOCK_UN);
}

static const struct truth_case cases[] = {
	{ "in_epoll_wait", NULL, in_epoll_wait, NULL, write_pipe, 1 },
	{ "in_poll", NULL, in_poll, NULL, write_pipe, 1 },
	{ "in_select", NULL, in_select, NULL, write_pipe, 1 },
	{ "in_read", NULL, in_read, NULL, write_pipe, 1 },
	{ "in_recv", NULL, in_recv, NULL, send_byte, 1 },
	{ "in_accept", NULL, in_accept, NULL, connect_listener, 1 },
	{ "in_connect", fill_queue, in_connect, NULL, accept_one, 1 },
	{ "in_waitpid", fork_child, in_waitpid, NULL, end_child, 1 },
	{ "in_flock", lock_file, in_flock, NULL, unlock_file, 1 },
};

/* ---- calls that end by themselves ---- */

TRUTH_FUNCTION void in_nanosleep(void)
{
	struct timespec time = { 0, SLEEP_NS };
	truth_require(nanosleep(&time, NULL) == 0, "nanosleep");
}

TRUTH_FUNCTION void in_clock_nanosleep(void)
{
	struct timespec time = { 0, SLEEP_NS };
	truth_require(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0, "clock_nanosleep");
}

TRUTH_FUNCTION void in_usleep(void)
{
	truth_require(usleep(SLEEP_NS / 1000) == 0, "usleep");
}

TRUTH_FUNCTION void in_fsync(void)
{
	static char bytes[65536];
	truth_require(pwrite(synced_fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes) && fsync(synced_fd) == 0,
	              "fsync");
}

static void measure_alone(const char *name, void (*call)(void), long long low_ns, int rounds)
{
	struct truth_sums sums = { 0, 0, 0, 0, 0 };
	for (int i = 0; i < rounds; i++) {
		long long begun_ns = truth_now_ns();
		call();
		sums.count++;
		sums.low_ns += low_ns;
		sums.high_ns += truth_now_ns() - begun_ns;
	}
	truth_print(name, &sums);
}

static int listen_at(struct address *address, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	address->name.sun_family = AF_UNIX;
	address->size = sizeof(address->name);
	/* An abstract name of the kernel's choice. */
	truth_require(bind(fd, (struct sockaddr *)&address->name, sizeof(sa_family_t)) == 0 && listen(fd, backlog) == 0,
	              "no listener");
	truth_require(getsockname(fd, (struct sockaddr *)&address->name, &address->size) == 0, "no address");
	return fd;
}

static int open_in(const char *directory, const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	truth_require(fd >= 0, "no file");
	return fd;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 10;
	struct epoll_event event = { .events = EPOLLIN };
	truth_require(argc > 1, "truth_io DIRECTORY [ROUNDS]");
	truth_require(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "no pipe");
	listener = listen_at(&listening, 8);
	full_listener = listen_at(&full_listening, 0);
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends[0], &event);
	locked_fd = open_in(argv[1], "locked");
	locking_fd = open_in(argv[1], "locked");
	synced_fd = open_in(argv[1], "synced");
	truth_begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		truth_measure(&cases[i], rounds);
	measure_alone("in_nanosleep", in_nanosleep, SLEEP_NS, rounds);
	measure_alone("in_clock_nanosleep", in_clock_nanosleep, SLEEP_NS, rounds);
	measure_alone("in_usleep", in_usleep, SLEEP_NS, rounds);
	measure_alone("in_fsync", in_fsync, 0, rounds);
	truth_say("done");
	return 0;
}
