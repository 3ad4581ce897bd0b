/* The helper, asked for lines and inlined frames of this program, and what the host notices of it: nothing.
 *
 *     rt_test_helper TOOL
 *
 * Not cmocka: signals and children are what is tested. Run as a helper itself (--name-addresses), it answers as its file's name says.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect_fakes.h"
#include "runtime/collect/names.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, names_why_no_lines()); \
			exit(1); \
		} \
	} while (0)

/* --- as a helper ---------------------------------------------------------------------------------------------------- */

static int be_helper(const char *self)
{
	char block[4096];
	const char *name = strrchr(self, '/') + 1;
	while (read(0, block, sizeof(block)) > 0)
		;
	if (strcmp(name, "crash") == 0)
		abort();
	if (strcmp(name, "garbage") == 0)
		memset(block, 'x', sizeof(block));
	else if (strcmp(name, "facts") == 0)
		snprintf(block, sizeof(block), "cpprof-names 1\n");
	if (write(1, block, strlen(block)) < 0)
		return 1;
	return 0;
}

/* --- as the host ---------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t children_ended;
static uintptr_t in_inlined;

static void count_child(int signal)
{
	(void)signal;
	children_ended++;
}

static inline __attribute__((always_inline)) void inlined_part(void)
{
	__asm__ volatile("1: leaq 1b(%%rip), %0" : "=r"(in_inlined));
}

static __attribute__((noinline)) void physical_part(void)
{
	__asm__ volatile("nop");
	inlined_part();
	__asm__ volatile("nop");
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	DIR *directory = opendir("/proc/self/fd");
	CHECK(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static bool want_inlined, has_answer;

static void ask(void *arg)
{
	(void)arg;
	struct module_list list;
	struct name names[2];
	uintptr_t addresses[] = { in_inlined, (uintptr_t)&physical_part };
	modules_read(&list);
	names_find(&list, addresses, 2, true, names);
	has_answer = names[0].is_final;
	CHECK(names[0].line_count > 0);
	const struct name_line *physical = &names[0].lines[names[0].line_count - 1];
	CHECK(strcmp(physical->function, "physical_part") == 0);
	CHECK(physical->function_start == (uintptr_t)&physical_part);
	if (!want_inlined)
		return;
	CHECK(names[0].line_count == 2);
	CHECK(strcmp(names[0].lines[0].function, "inlined_part") == 0);
	CHECK(strstr(names[0].lines[0].file, "test_helper.c") && names[0].lines[0].line > 0);
	CHECK(strstr(physical->file, "test_helper.c") && physical->line > 0);
	CHECK(names[1].line_count == 1 && names[1].lines[0].line > 0);
}

/* One question after the other; children that are not ours to see would show in each of these. */
static void ask_unnoticed(const char *helper, bool expect_answer)
{
	int status;
	unsigned descriptors = open_descriptors();
	snprintf(settings.helper, sizeof(settings.helper), "%s", helper);
	want_inlined = expect_answer;
	CHECK(work_run(ask, NULL));
	CHECK(has_answer == expect_answer);
	CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
	CHECK(waitpid(-1, &status, WNOHANG | __WALL) == -1 && errno == ECHILD);
	CHECK(open_descriptors() == descriptors);
	CHECK(children_ended == 0);
}

/* In a child, so that each failure starts with neither a cache nor a pause after the last. */
static void in_child(void (*test)(const char *argument), const char *argument)
{
	signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, count_child);
		test(argument);
		_exit(0);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void answers(const char *tool)
{
	ask_unnoticed(tool, true);
	CHECK(names_why_no_lines() == NULL);
	/* Known now: no helper is started again. */
	snprintf(settings.helper, sizeof(settings.helper), "/nowhere");
	CHECK(work_run(ask, NULL) && has_answer);
}

/* The host's standard descriptors may be closed, its signals ignored and blocked, its limits low. */
static void answers_odd_host(const char *tool)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	close(0);
	close(1);
	setenv("LD_PRELOAD", "/nowhere.so", 1);
	answers(tool);
}

static void is_refused(const char *helper)
{
	ask_unnoticed(helper, false);
	CHECK(names_why_no_lines() != NULL);
}

static void is_refused_by_reapers(const char *tool)
{
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
	is_refused(tool);
	CHECK(strstr(names_why_no_lines(), "reaps"));
}

static void is_refused_when_off(const char *tool)
{
	settings.helper_off = true;
	is_refused(tool);
}

/* The same modules by the loader's list as by /proc. */
static void compare_modules(void *arg)
{
	static struct module from_proc[512];
	static uint32_t count;
	struct module_list list;
	modules_read(&list);
	if (!arg) {
		count = list.count < 512 ? list.count : 512;
		memcpy(from_proc, list.modules, count * sizeof(*from_proc));
		return;
	}
	CHECK(list.count >= 3 && list.modules[0].start == from_proc[0].start);
	for (uint32_t i = 0; i < list.count; i++) {
		uint32_t same = 0;
		while (same < count && from_proc[same].start != list.modules[i].start)
			same++;
		CHECK(same < count && list.modules[i].limit == from_proc[same].limit);
		CHECK(list.modules[i].offset == from_proc[same].offset);
		CHECK(strcmp(list.modules[i].build_id, from_proc[same].build_id) == 0);
	}
}

static void ask_with_nothing(void *arg)
{
	(void)arg;
	struct module_list list;
	struct name names[2];
	uintptr_t addresses[] = { (uintptr_t)&qsort + 1, in_inlined };
	modules_read(&list);
	names_find(&list, addresses, 2, true, names);
	CHECK(names[0].line_count == 1 && strstr(names[0].lines[0].function, "qsort"));
	CHECK(!names[0].is_final && !names[1].is_final);
}

/* No descriptor is left: what is in memory must do. */
static void without_descriptors(const char *tool)
{
	struct rlimit none = { 5, 5 };
	CHECK(work_run(compare_modules, NULL));
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	while (dup(2) >= 0)
		;
	snprintf(settings.helper, sizeof(settings.helper), "%s", tool);
	CHECK(work_run(compare_modules, &none));
	CHECK(work_run(ask_with_nothing, NULL));
	CHECK(children_ended == 0);
}

static void copy_self(const char *to, mode_t mode)
{
	char block[65536];
	ssize_t got;
	int from = open("/proc/self/exe", O_RDONLY), target = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	CHECK(from >= 0 && target >= 0);
	while ((got = read(from, block, sizeof(block))) > 0)
		CHECK(write(target, block, (size_t)got) == got);
	close(from);
	CHECK(fchmod(target, mode) == 0);
	close(target);
}

static void refusals(void)
{
	char directory[] = "/tmp/cpprof-helper-XXXXXX", path[128];
	static const struct {
		const char *name;
		mode_t mode;
	} copies[] = { { "crash", 0700 }, { "garbage", 0700 }, { "facts", 0700 }, { "writable", 0707 }, { "plain", 0600 } };
	CHECK(mkdtemp(directory));
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, copies[i].name);
		copy_self(path, copies[i].mode);
		in_child(is_refused, path);
		unlink(path);
	}
	in_child(is_refused, directory);
	rmdir(directory);
	in_child(is_refused, "/nowhere/cpprof");
}

int main(int argc, char **argv)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK(length > 0 && argc == 2);
	self[length] = '\0';
	if (strcmp(argv[1], "--name-addresses") == 0)
		return be_helper(self);
	physical_part();
	if (getpid() == 1) {
		puts("skipped: reason: process 1 starts no helper");
		return 77;
	}
	in_child(answers, argv[1]);
	in_child(answers_odd_host, argv[1]);
	in_child(is_refused_by_reapers, argv[1]);
	in_child(is_refused_when_off, argv[1]);
	in_child(without_descriptors, argv[1]);
	refusals();
	return 0;
}
