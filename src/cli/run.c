/* run.c - `cpprof run`: environment, one line, exec. */
#include "cli/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/path.h"
#include "base/xalloc.h"
#include "cli/flags.h"
#include "cli/messages.h"
#include "cli/run_target.h"
#include "cli/usage.h"

#define STATUS_UNUSABLE 2
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NO_PROGRAM 127

#define DEFAULT_HOST "127.0.0.1"
#define DEFAULT_PORT 9527
/* So many ports from the default one on are tried, then any. */
#define PORTS_TRIED 100

#define RATE_NOT_GIVEN INT64_MIN

struct run_options {
	const char *address; /* NULL: the first free port from the default one on */
	int64_t rate;        /* RATE_NOT_GIVEN: the library's own */
	bool no_follow;
};

/* --- the library ------------------------------------------------------------------------------------------------------ */

/* Beside the tool, as built and as installed. */
static const char *const places[] = {
	"../lib/libcpprof.so",
	"../" CPPROF_LIBDIR "/libcpprof.so",
	"../lib/libcpprof.so.0",
	"../" CPPROF_LIBDIR "/libcpprof.so.0",
};

static char *find_beside(void)
{
	char *tool = realpath("/proc/self/exe", NULL), *found = NULL;
	char *slash = tool ? strrchr(tool, '/') : NULL;
	for (size_t i = 0; slash && !found && i < sizeof(places) / sizeof(places[0]); i++) {
		char *candidate = xasprintf("%.*s/%s", (int)(slash - tool), tool, places[i]);
		found = realpath(candidate, NULL);
		free(candidate);
	}
	free(tool);
	return found;
}

/* Its absolute path, owned by the caller. */
static enum status find_library(char **ret_path, struct error *err)
{
	const char *given = getenv("CPPROF_LIBRARY");
	char *path = given && *given ? realpath(given, NULL) : find_beside();
	if (!path && given && *given)
		return error_set_errno(err, errno, "CPPROF_LIBRARY=%s", given);
	if (!path)
		return error_set(err, STATUS_NOT_FOUND,
		                 "libcpprof.so is not beside this program: say where it is with CPPROF_LIBRARY");
	if (strpbrk(path, ": \t")) { /* what separates the words of LD_PRELOAD */
		error_set(err, STATUS_UNSUPPORTED, "%s: a library whose path has blanks or colons cannot be preloaded", path);
		free(path);
		return STATUS_UNSUPPORTED;
	}
	*ret_path = path;
	return STATUS_OK;
}

/* --- the address ------------------------------------------------------------------------------------------------------ */

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool parse_host(const char *host, union socket_address *ret_address, socklen_t *ret_length)
{
	*ret_address = (union socket_address){ 0 };
	const char *plain = !*host || strcmp(host, "localhost") == 0 ? DEFAULT_HOST
	                    : strcmp(host, "*") == 0                 ? "0.0.0.0"
	                                                             : host;
	if (inet_pton(AF_INET, plain, &ret_address->v4.sin_addr) == 1) {
		ret_address->v4.sin_family = AF_INET;
		*ret_length = sizeof(ret_address->v4);
		return true;
	}
	ret_address->v6.sin6_family = AF_INET6;
	*ret_length = sizeof(ret_address->v6);
	return inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr) == 1;
}

/* Tries to bind; 0 and the port that it got, or errno. The program does the same a moment later. */
static int try_port(union socket_address address, socklen_t length, int port, int *ret_port)
{
	int one = 1, error = 0;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	address.v4.sin_port = htons((uint16_t)port); /* at the same place in both */
	if (bind(fd, &address.any, length) != 0 || getsockname(fd, &address.any, &length) != 0)
		error = errno;
	else
		*ret_port = ntohs(address.v4.sin_port);
	close(fd);
	return error;
}

static char *default_address(void)
{
	union socket_address address;
	socklen_t length;
	int port = 0;
	parse_host(DEFAULT_HOST, &address, &length);
	for (int wanted = DEFAULT_PORT; wanted < DEFAULT_PORT + PORTS_TRIED; wanted++)
		if (try_port(address, length, wanted, &port) == 0)
			return xasprintf("%s:%d", DEFAULT_HOST, port);
	if (try_port(address, length, 0, &port) == 0)
		return xasprintf("%s:%d", DEFAULT_HOST, port);
	return xstrdup("off");
}

/* The port behind the last colon, or the whole text if there is none; -1 = none. */
static int split_port(const char *text, char **ret_host)
{
	const char *colon = strrchr(text, ':'), *digits = colon ? colon + 1 : text;
	char *end;
	long port = *digits >= '0' && *digits <= '9' ? strtol(digits, &end, 10) : -1;
	if (port < 0 || port > 65535 || *end)
		return -1;
	size_t length = colon ? (size_t)(colon - text) : 0;
	bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
	*ret_host = bracketed ? xstrndup(text + 1, length - 2) : xstrndup(text, length);
	return (int)port;
}

/* The address with its port, if it was 0; owned by the caller. */
static enum status choose_address(const char *given, char **ret_address, struct error *err)
{
	if (!given || strcmp(given, "off") == 0 || strncmp(given, "unix:", 5) == 0) {
		*ret_address = given ? xstrdup(given) : default_address();
		return STATUS_OK;
	}
	union socket_address address;
	socklen_t length;
	char *host = NULL;
	int port = split_port(given, &host), bound = 0;
	enum status status = STATUS_OK;
	if (port < 0 || !parse_host(host, &address, &length)) {
		status = error_set(
				err, STATUS_INVALID,
				"-addr %s is no address: use 127.0.0.1:9527, 0.0.0.0:9527, [::1]:9527, unix:/run/x.sock or off", given);
	} else {
		int error = try_port(address, length, port, &bound);
		char text[INET6_ADDRSTRLEN] = "";
		bool v6 = address.any.sa_family == AF_INET6;
		inet_ntop(address.any.sa_family, v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr, text,
		          sizeof(text));
		if (error)
			status = error_set_errno(err, error, "-addr %s", given);
		else
			*ret_address = v6 ? xasprintf("[%s]:%d", text, bound) : xasprintf("%s:%d", text, bound);
	}
	free(host);
	return status;
}

/* --- going ------------------------------------------------------------------------------------------------------------ */

static void set_number(const char *name, int64_t value)
{
	char *text = xasprintf("%lld", (long long)value);
	setenv(name, text, 1);
	free(text);
}

static void set_environment(const struct run_options *options, const char *library, const char *address)
{
	const char *before = getenv("LD_PRELOAD");
	char *preload = before && *before ? xasprintf("%s:%s", library, before) : xstrdup(library);
	setenv("LD_PRELOAD", preload, 1);
	free(preload);
	setenv("CPPROF_ADDR", address, 1);
	set_number("CPPROF_RUN_PID", getpid());
	if (options->rate != RATE_NOT_GIVEN)
		set_number("CPPROF_HEAP_RATE", options->rate);
	if (options->no_follow)
		setenv("CPPROF_FOLLOW", "0", 1);
}

static void tell(const char *address)
{
	long pid = getpid();
	char *line;
	if (strcmp(address, "off") == 0)
		line = xasprintf("cpprof: pid %ld serves at its local socket: cpprof pid:%ld/heap", pid, pid);
	else if (strncmp(address, "unix:", 5) == 0)
		line = xasprintf("cpprof: pid %ld serves at %s (also: cpprof pid:%ld/heap)", pid, address, pid);
	else
		line = xasprintf("cpprof: pid %ld serves http://%s/debug/pprof/ (also: cpprof pid:%ld/heap)", pid, address,
		                 pid);
	message_line(NULL, line);
	free(line);
}

static int fail(const struct error *err, int status)
{
	message_failure(err);
	return status;
}

static int print_help(void)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	usage_append_run(&text);
	message_line(NULL, buffer_text(&text));
	buffer_release(&text);
	return EXIT_SUCCESS;
}

static int execute(const char *path, char **argv)
{
	execv(path, argv);
	int reason = errno;
	struct error err;
	if (reason == ENOEXEC) { /* a script without "#!", as execvp has it */
		size_t count = 0;
		while (argv[count])
			count++;
		char **words = xcalloc(count + 2, sizeof(*words));
		char shell[] = "/bin/sh", *file = xstrdup(path);
		words[0] = shell;
		words[1] = file;
		for (size_t i = 1; i < count; i++)
			words[i + 1] = argv[i];
		execv(shell, words);
		free(file);
		free(words);
	}
	error_set_errno(&err, reason, "%s", path);
	return fail(&err, STATUS_NOT_EXECUTABLE);
}

/* Prepares everything; then *ret_path is to be executed. The exit status, 0 = go on. */
static int prepare(const struct run_options *options, const char *program, char **ret_path)
{
	struct error err;
	char *library = NULL, *address = NULL;
	enum status status = run_target_find(program, ret_path, &err);
	if (status != STATUS_OK)
		return fail(&err, status == STATUS_NOT_FOUND ? STATUS_NO_PROGRAM : STATUS_NOT_EXECUTABLE);
	status = run_target_check(*ret_path, &err);
	if (status == STATUS_OK)
		status = find_library(&library, &err);
	if (status == STATUS_OK)
		status = choose_address(options->address, &address, &err);
	if (status == STATUS_OK) {
		set_environment(options, library, address);
		tell(address);
	}
	free(library);
	free(address);
	return status == STATUS_OK ? 0 : fail(&err, STATUS_UNUSABLE);
}

int run_program(int argc, char **argv)
{
	struct run_options options = { .rate = RATE_NOT_GIVEN };
	struct flag_set set;
	struct error err;
	int first = 0;
	flag_set_init(&set);
	flag_set_add(&set, "addr", FLAG_TEXT, &options.address);
	flag_set_add(&set, "rate", FLAG_INT, &options.rate);
	flag_set_add(&set, "no_follow", FLAG_BOOL, &options.no_follow);
	flag_set_add(&set, "no-follow", FLAG_BOOL, &options.no_follow);
	enum status status = flag_set_parse(&set, argc, argv, &first, &err);
	flag_set_release(&set);
	if (status == STATUS_NOT_FOUND)
		return print_help();
	if (status == STATUS_OK && options.rate < 0 && options.rate != RATE_NOT_GIVEN)
		status = error_set(&err, STATUS_INVALID, "-rate %lld: a number of bytes is wanted", (long long)options.rate);
	if (status == STATUS_OK && first == argc)
		status = error_set(&err, STATUS_INVALID, "which program? cpprof run [options] -- PROGRAM [arguments]");
	if (status != STATUS_OK)
		return fail(&err, STATUS_UNUSABLE);
	char *path = NULL;
	int exit_status = prepare(&options, argv[first], &path);
	if (exit_status == 0)
		exit_status = execute(path, argv + first);
	free(path);
	return exit_status;
}
