/* Which sources are URLs and what is asked, proxies, where fetched profiles are saved, ceilings. Servers of every kind are
 * tests/fetch/'s.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/xalloc.h"
#include "fetch/fetch.h"
#include "fetch/proxy.h"
#include "fetch/url.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECOND INT64_C(1000000000)

static char notices[4096];

static void remember(void *arg, const char *line)
{
	(void)arg;
	size_t used = strlen(notices);
	snprintf(notices + used, sizeof(notices) - used, "%s\n", line);
}

static struct fetch_options options_of(int seconds, int timeout_seconds)
{
	notices[0] = '\0';
	return (struct fetch_options){ .seconds = seconds, .timeout_seconds = timeout_seconds, .notice = remember };
}

/* --- files and URLs --------------------------------------------------------------------------------------------------- */

/* What Go's net/url makes of the same texts, and the path that a URL without one gets. */
static const struct {
	const char *source, *url; /* NULL: a file */
} sources[] = {
	{ "127.0.0.1:23790/debug/pprof/heap", "http://127.0.0.1:23790/debug/pprof/heap" },
	{ "localhost", NULL },
	{ "localhost:6060", "http://localhost:6060/debug/pprof/profile" },
	{ "localhost:6060/", "http://localhost:6060/debug/pprof/profile" },
	{ "file:///tmp/x", NULL },
	{ "file://host/x", "file://host/x" },
	{ "http:///x", "http://http:///x" },
	{ "/nosuch/file:80", NULL },
	{ "nosuch/a:80", NULL },
	{ "", NULL },
	{ "-", NULL },
	{ ":80", "http://:80/debug/pprof/profile" },
	{ "http://h", "http://h/debug/pprof/profile" },
	{ "HTTP://Host/X", "http://Host/X" },
	{ "https+insecure://h/x", "https+insecure://h/x" },
	{ "//h/x", "//h/x" },
	{ "h:80?x", "http://h:80/debug/pprof/profile?x=" },
	{ "http://h/x?", "http://h/x?" },
	{ "http://h/x?b=2&a=1&b=1", "http://h/x?a=1&b=2&b=1" },
	{ "http://h/x?a=%zz&b;c&d=%41+%20", "http://h/x?d=A++" },
	{ "http://h/x?a=%c3%a9&b=~*", "http://h/x?a=%C3%A9&b=~%2A" },
	{ "http://h/a b%2Fc", "http://h/a%20b/c" },
	{ "http://h/a%2Fc", "http://h/a%2Fc" },
	{ "http://h/%zz", NULL },
	{ "http://h/x#part", "http://h/x#part" },
	{ "http://user:p%40ss@h/x", "http://user:p%40ss@h/x" },
	{ "user:pw@h:80/x", "http://user:pw@h:80/x" },
	{ "a:b c@h/x", NULL },
	{ "u%00:p@h/x", NULL },
	{ "h:80a/x", NULL },
	{ "h:1:2/x", NULL },
	{ "http://[::1]:80/x", "http://[::1]:80/x" },
	{ "http://[fe80::1%25eth0]/x", "http://[fe80::1%25eth0]/x" },
	{ "[nonsense]:1/x", NULL },
	{ "[::1:80/x", NULL },
	{ "h o:1/x", NULL },
	{ "http://h/\x01", NULL },
	{ "http://h:80a/x", "http://http://h:80a/x" }, /* as the reference has it */
	{ "mailto:someone", NULL },
};

static void sources_are_files_or_urls(void **state)
{
	(void)state;
	struct fetch_options options = options_of(0, 0);
	for (size_t i = 0; i < COUNT(sources); i++) {
		char *url = NULL;
		int64_t duration_ns, timeout_ns;
		bool is_url = fetch_classify(sources[i].source, &options, &url, &duration_ns, &timeout_ns);
		if (is_url != (sources[i].url != NULL) || (is_url && strcmp(url, sources[i].url) != 0))
			fail_msg("%s gives %s, not %s", sources[i].source, is_url ? url : "a file", sources[i].url);
		free(url);
	}
}

static void expect_times(const char *source, struct fetch_options options, int64_t duration, int64_t timeout_ns,
                         const char *expected)
{
	char *url = NULL;
	int64_t got_duration_ns, got_timeout_ns;
	assert_true(fetch_classify(source, &options, &url, &got_duration_ns, &got_timeout_ns));
	assert_string_equal(url, expected);
	assert_int_equal(got_duration_ns, duration * SECOND);
	assert_int_equal(got_timeout_ns, timeout_ns);
	free(url);
}

static void seconds_and_timeout(void **state)
{
	(void)state;
	expect_times("h:1/x", options_of(0, 0), 0, 60 * SECOND, "http://h:1/x");
	expect_times("h:1/x?seconds=9", options_of(0, 0), 9, 27 * SECOND / 2, "http://h:1/x?seconds=9");
	expect_times("h:1/x?seconds=9&seconds=2&a=", options_of(4, 0), 4, 6 * SECOND, "http://h:1/x?a=&seconds=4");
	expect_times("h:1/x?seconds=9", options_of(-1, 7), 9, 7 * SECOND, "http://h:1/x?seconds=9");
	expect_times("h:1/x?seconds=-9", options_of(0, 0), 0, 60 * SECOND, "http://h:1/x?seconds=-9");
	expect_times("h:1/x?seconds=2147483648", options_of(0, 0), 0, 60 * SECOND, "http://h:1/x?seconds=2147483648");
	expect_times("h:1/x", options_of(INT32_MAX, INT32_MAX), INT32_MAX, INT32_MAX * SECOND,
	             "http://h:1/x?seconds=2147483647");
}

static void passwords_are_not_shown(void **state)
{
	(void)state;
	const struct {
		const char *source, *shown;
	} names[] = {
		{ "http://user:pw@h:80/x?a=b:c@d", "http://user:***@h:80/x?a=b:c@d" },
		{ "user:p@w@h:80/x", "user:***@h:80/x" },
		{ "http://user@h:80/x", "http://user@h:80/x" },
		{ "http://h:80/a:b@c", "http://h:80/a:b@c" },
		{ "dir/a:b@c", "dir/a:b@c" },
	};
	for (size_t i = 0; i < COUNT(names); i++) {
		char *name = fetch_source_name(names[i].source);
		assert_string_equal(name, names[i].shown);
		free(name);
	}
}

static void durations_read_like_go(void **state)
{
	(void)state;
	const struct {
		int64_t ns;
		const char *text;
	} durations[] = {
		{ 0, "0s" },
		{ 9 * SECOND, "9s" },
		{ 60 * SECOND, "1m0s" },
		{ 3605 * SECOND, "1h0m5s" },
		{ 1500000, "1.5ms" },
		{ -SECOND / 4, "-250ms" },
		{ INT64_MIN, "-2562047h47m16.854775808s" },
	};
	for (size_t i = 0; i < COUNT(durations); i++) {
		char text[DURATION_TEXT_SIZE];
		assert_int_equal(duration_text(text, durations[i].ns), strlen(durations[i].text));
		assert_string_equal(text, durations[i].text);
	}
}

/* --- proxies ------------------------------------------------------------------------------------------------------------ */

static void proxies_by_environment(void **state)
{
	(void)state;
	const struct {
		const char *url, *no_proxy;
		bool is_proxied;
	} cases[] = {
		{ "http://h/", "", true },
		{ "http://localhost:80/", "", false },
		{ "http://:80/", "", false },
		{ "http://127.3.2.1/", "", false },
		{ "http://[::1]:80/", "", false },
		{ "http://h/", "*", false },
		{ "http://h/", "a, h ,b", false },
		{ "http://x.h/", "h", false },
		{ "http://xh/", "h", true },
		{ "http://h/", ".h", true },
		{ "http://x.H/", ".h", false },
		{ "http://x.h/", "*.h", false },
		{ "http://h:81/", "h:80", true },
		{ "http://h/", "h:80", false },
		{ "https://h/", "h:443", false },
		{ "http://10.1.2.3/", "10.0.0.0/8", false },
		{ "http://11.1.2.3/", "10.0.0.0/8", true },
		{ "http://10.129.2.3/", "10.128.0.0/9", false },
		{ "http://10.127.2.3/", "10.128.0.0/9", true },
		{ "http://10.1.2.3:8/", "10.1.2.3", false },
		{ "http://10.1.2.3:8/", "10.1.2.3:9", true },
		{ "http://[2001:db8::1]/", "2001:db8::/32", false },
		{ "http://[2001:db8::1]:8/", "[2001:db8::1]:8", false },
		{ "http://10.1.2.3/", "3", true },
		{ "http://10.1.2.3/", "10.0.0.0/, /8, 10.0.0.0/33", true },
	};
	setenv("HTTP_PROXY", "proxy:3128", 1);
	setenv("HTTPS_PROXY", "socks5://user:pw@proxy", 1);
	unsetenv("REQUEST_METHOD");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct url url;
		struct error err;
		char *proxy;
		setenv("NO_PROXY", cases[i].no_proxy, 1);
		assert_true(url_parse(str_of(cases[i].url), &url));
		assert_int_equal(proxy_for_url(&url, &proxy, &err), STATUS_OK);
		const char *expected = strcmp(url.scheme, "http") == 0 ? "http://proxy:3128" : "socks5h://user:pw@proxy";
		if (!cases[i].is_proxied ? proxy != NULL : !proxy || strcmp(proxy, expected) != 0)
			fail_msg("%s with NO_PROXY=%s: %s", cases[i].url, cases[i].no_proxy, proxy ? proxy : "no proxy");
		free(proxy);
		url_release(&url);
	}
	unsetenv("HTTP_PROXY");
	unsetenv("HTTPS_PROXY");
	unsetenv("NO_PROXY");
}

/* --- saving ------------------------------------------------------------------------------------------------------------ */

struct place {
	char directory[64];
	char *saved;
};

static char *join(const struct place *place, const char *name)
{
	return xasprintf("%s/%s", place->directory, name);
}

static int place_make(void **state)
{
	struct place *place = xcalloc(1, sizeof(*place));
	strcpy(place->directory, "/tmp/cpprof-test-fetch-XXXXXX");
	if (!mkdtemp(place->directory))
		return -1;
	place->saved = join(place, "saved");
	setenv("PPROF_TMPDIR", place->saved, 1);
	setenv("HOME", place->directory, 1);
	setenv("TMPDIR", place->directory, 1);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;
	char *command = xasprintf("rm -rf %s", place->directory);
	int result = system(command);
	free(command);
	free(place->saved);
	free(place);
	return result;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect_saved(const char *prefix, const char *directory, const char *name)
{
	struct fetch_options options = options_of(0, 0);
	struct error err;
	char *path, *expected = xasprintf("%s/%s", directory, name);
	assert_int_equal(fetch_save(prefix, ".pb.gz", str_of("bytes"), &options, &path, &err), STATUS_OK);
	assert_string_equal(path, expected);
	struct fetched fetched;
	assert_int_equal(fetch_source(path, &options, 5, &fetched, &err), STATUS_OK);
	assert_string_equal(buffer_text(&fetched.bytes), "bytes");
	assert_false(fetched.is_url);
	fetched_release(&fetched);
	free(path);
	free(expected);
}

static void saving_counts_up_and_overwrites_nothing(void **state)
{
	struct place *place = *state;
	expect_saved("pprof.heap.", place->saved, "pprof.heap.001.pb.gz");
	expect_saved("pprof.heap.", place->saved, "pprof.heap.002.pb.gz");
	char *third = xasprintf("%s/pprof.heap.003.pb.gz", place->saved);
	write_file(third, "old");
	expect_saved("pprof.heap.", place->saved, "pprof.heap.004.pb.gz");
	struct stat status;
	assert_int_equal(stat(third, &status), 0);
	assert_int_equal(status.st_size, 3);
	free(third);
}

static void saving_ends_when_the_numbers_do(void **state)
{
	struct place *place = *state;
	assert_int_equal(mkdir(place->saved, 0755), 0);
	for (int number = 1; number < 10000; number++) {
		char *path = xasprintf("%s/p.%03d.pb.gz", place->saved, number);
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		assert_true(fd >= 0);
		close(fd);
		free(path);
	}
	struct fetch_options options = options_of(0, 0);
	struct error err;
	char *path;
	assert_int_equal(fetch_save("p.", ".pb.gz", str_of("bytes"), &options, &path, &err), STATUS_LIMIT);
	assert_non_null(strstr(err.message, "could not create file of the form p.001.pb.gz"));
}

static void names_from_a_profile_stay_in_the_directory(void **state)
{
	struct place *place = *state;
	expect_saved("pprof.../../x\n.", place->saved, "pprof..._.._x_.001.pb.gz");
	char prefix[1000], name[256];
	memset(prefix, 'x', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	snprintf(name, sizeof(name), "%.200s001.pb.gz", prefix);
	expect_saved(prefix, place->saved, name);
}

static void the_next_directory_is_taken(void **state)
{
	struct place *place = *state;
	char *file = join(place, "file"), *below = join(place, "file/below/deep"), *home = join(place, "pprof");
	write_file(file, "precious");
	setenv("PPROF_TMPDIR", below, 1);
	expect_saved("p.", home, "p.001.pb.gz");
	char *expected = xasprintf("Could not use temp dir %s: mkdir %s: not a directory\n", below, file);
	struct fetch_options options = options_of(0, 0);
	struct error err;
	char *path;
	assert_int_equal(fetch_save("p.", ".pb.gz", str_of("bytes"), &options, &path, &err), STATUS_OK);
	assert_string_equal(notices, expected);
	free(path);
	setenv("HOME", file, 1);
	setenv("TMPDIR", file, 1);
	options = options_of(0, 0);
	assert_int_equal(fetch_save("p.", ".pb.gz", str_of("bytes"), &options, &path, &err), STATUS_IO);
	assert_non_null(strstr(err.message, "failed to identify temp dir"));
	free(expected);
	free(home);
	free(below);
	free(file);
}

static void a_failed_write_leaves_nothing(void **state)
{
	struct place *place = *state;
	struct rlimit before, small = { 2, RLIM_INFINITY };
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	struct fetch_options options = options_of(0, 0);
	struct error err;
	char *path;
	enum status status = fetch_save("p.", ".pb.gz", str_of("bytes"), &options, &path, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, old);
	assert_int_equal(status, STATUS_IO);
	assert_non_null(strstr(err.message, "p.001.pb.gz: file too large"));
	/* Nothing but the directory itself, so it can be removed. */
	assert_int_equal(rmdir(place->saved), 0);
}

/* --- ceilings ------------------------------------------------------------------------------------------------------------ */

static void files_are_bounded(void **state)
{
	struct place *place = *state;
	char *path = join(place, "file");
	write_file(path, "123456");
	struct fetch_options options = options_of(0, 0);
	struct fetched fetched;
	struct error err;
	assert_int_equal(fetch_source(path, &options, 5, &fetched, &err), STATUS_LIMIT);
	assert_non_null(strstr(err.message, "more than 5 bytes"));
	assert_int_equal(fetch_source(path, &options, 6, &fetched, &err), STATUS_OK);
	assert_int_equal(fetched.bytes.length, 6);
	fetched_release(&fetched);
	assert_int_equal(fetch_source("/dev/zero", &options, 100, &fetched, &err), STATUS_LIMIT);
	free(path);
}

/* Answers one request with 200 and 1000 bytes. */
static void *serve_once(void *argument)
{
	int listener = *(int *)argument, fd = accept(listener, NULL, NULL);
	char text[2000];
	ssize_t got = read(fd, text, sizeof(text));
	int length = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n%01000d", 0);
	if (got > 0)
		got = write(fd, text, (size_t)length);
	close(fd);
	return NULL;
}

static enum status fetch_served(size_t ceiling, struct fetched *ret_fetched, struct error *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	pthread_t thread;
	pthread_create(&thread, NULL, serve_once, &listener);
	char *source = xasprintf("127.0.0.1:%d/x", ntohs(address.sin_port));
	struct fetch_options options = options_of(0, 0);
	enum status status = fetch_source(source, &options, ceiling, ret_fetched, err);
	pthread_join(thread, NULL);
	close(listener);
	free(source);
	return status;
}

static void answers_are_bounded(void **state)
{
	(void)state;
	struct fetched fetched;
	struct error err;
	assert_int_equal(fetch_served(999, &fetched, &err), STATUS_LIMIT);
	assert_string_equal(err.message, "the answer is larger than 999 bytes, the most that is accepted");
	assert_int_equal(fetch_served(1000, &fetched, &err), STATUS_OK);
	assert_int_equal(fetched.bytes.length, 1000);
	assert_true(fetched.is_url);
	assert_null(fetched.text_hint);
	fetched_release(&fetched);
	fetch_global_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_are_files_or_urls),
		cmocka_unit_test(seconds_and_timeout),
		cmocka_unit_test(passwords_are_not_shown),
		cmocka_unit_test(durations_read_like_go),
		cmocka_unit_test(proxies_by_environment),
		cmocka_unit_test_setup_teardown(saving_counts_up_and_overwrites_nothing, place_make, place_remove),
		cmocka_unit_test_setup_teardown(saving_ends_when_the_numbers_do, place_make, place_remove),
		cmocka_unit_test_setup_teardown(names_from_a_profile_stay_in_the_directory, place_make, place_remove),
		cmocka_unit_test_setup_teardown(the_next_directory_is_taken, place_make, place_remove),
		cmocka_unit_test_setup_teardown(a_failed_write_leaves_nothing, place_make, place_remove),
		cmocka_unit_test_setup_teardown(files_are_bounded, place_make, place_remove),
		cmocka_unit_test(answers_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
