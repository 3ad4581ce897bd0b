/* contract.c - the pthread contract to the letter: contract [CASE] [wait]. Knows nothing of the library.
 *
 * Prints each call with what it returned; the lines must be the same with and without the library, and none may say WRONG. With
 * "wait" it prints "ready" in the end and waits for its standard input to close: what is left of all that was waited for can be looked at.
 *
 * The cases are in contract_NAME.c.
 */
#include "contract.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char heading[128];

void contract_case(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(heading, sizeof(heading), format, arguments);
	va_end(arguments);
}

static const char *named(long error, char *room, size_t size)
{
	const char *name = error > 0 && error < 200 ? strerrorname_np((int)error) : NULL;
	if (!name)
		snprintf(room, size, "%ld", error);
	return name ? name : room;
}

void contract_note(const char *call, long returned, long expected, int error, int expected_error)
{
	char first[32], second[32];
	bool right = (expected == ANYTHING || returned == expected) && (expected == ANYTHING || error == expected_error);
	bool touched = error != CANARY;
	flockfile(stdout);
	printf("%s%s: %s = %s", right ? "" : "WRONG ", heading, call, named(returned, first, sizeof(first)));
	if (touched)
		printf(", errno %s", named(error, second, sizeof(second)));
	if (!right)
		printf(" (expected %s)", named(returned == expected ? expected_error : expected, first, sizeof(first)));
	putchar('\n');
	fflush(stdout);
	funlockfile(stdout);
}

void contract_truth(const char *what, bool holds)
{
	printf("%s%s: %s\n", holds ? "" : "WRONG ", heading, what);
	fflush(stdout);
}

struct timespec contract_after(clockid_t clock, long ns)
{
	struct timespec time;
	clock_gettime(clock, &time);
	time.tv_sec += (time.tv_nsec + ns) / 1000000000;
	time.tv_nsec = (time.tv_nsec + ns) % 1000000000;
	return time;
}

void contract_sleep(long ns)
{
	struct timespec time = { ns / 1000000000, ns % 1000000000 };
	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

pthread_t contract_start(void *(*routine)(void *), void *argument)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, routine, argument);
	if (error) {
		fprintf(stderr, "contract: no thread: %s\n", strerror(error));
		exit(2);
	}
	return thread;
}

void contract_in_thread(void *(*routine)(void *), void *argument)
{
	pthread_join(contract_start(routine, argument), NULL);
}

int contract_tid(void)
{
	return (int)syscall(SYS_gettid);
}

void contract_until_asleep(int tid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (int quiet = 0; quiet < 3;) {
		int fd = open(path, O_RDONLY);
		ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		if (length <= 0)
			return;
		text[length] = 0;
		const char *state = strrchr(text, ')');
		quiet = state && state[2] == 'S' ? quiet + 1 : 0;
		contract_sleep(500000);
	}
}

void *contract_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("contract: mmap");
		exit(2);
	}
	return memory;
}

int contract_reap(int pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "early", contract_early },     { "mutex", contract_mutex }, { "robust", contract_robust },
		{ "rwlock", contract_rwlock },   { "cond", contract_cond },   { "sem", contract_sem },
		{ "threads", contract_threads }, { "fork", contract_fork },   { "gone", contract_gone },
		{ "cancel", contract_cancel },   { "jump", contract_jump },
	};
	bool wait_at_end = argc > 1 && strcmp(argv[argc - 1], "wait") == 0;
	const char *only = argc > 1 && strcmp(argv[1], "wait") != 0 ? argv[1] : NULL;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!only || strcmp(only, cases[i].name) == 0)
			cases[i].run();
	puts("end");
	if (wait_at_end) {
		puts("ready");
		fflush(stdout);
		char byte;
		while (read(0, &byte, 1) > 0)
			;
	}
	return 0;
}
