/* measure.c - runs one command and prints what it cost: wall ns, user us, system us, largest RSS in KiB, exit status.
 *
 *     measure OUTPUT COMMAND [ARGUMENT]...        OUTPUT takes the command's standard output
 *
 * A program of its own because the kernel counts into a child's largest RSS what its parent had at the moment of exec:
 * started by Python directly, nothing could be seen below Python's own size. The times and the RSS cover the command and
 * the children it waited for; the RSS is that of the largest one.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int fail(const char *what, int code)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(code));
	return 1;
}

static long long now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long long microseconds(struct timeval time)
{
	return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fputs("usage: measure OUTPUT COMMAND [ARGUMENT]...\n", stderr);
		return 2;
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	long long start_ns = now_ns();
	pid_t child;
	int code = posix_spawn(&child, argv[2], &actions, NULL, argv + 2, environ);
	if (code)
		return fail(argv[2], code);
	int status;
	struct rusage usage;
	if (wait4(child, &status, 0, &usage) < 0)
		return fail("wait4", errno);
	long long wall_ns = now_ns() - start_ns;
	posix_spawn_file_actions_destroy(&actions);
	printf("%lld %lld %lld %ld %d\n", wall_ns, microseconds(usage.ru_utime), microseconds(usage.ru_stime),
	       usage.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
