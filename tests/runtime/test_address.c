/* The addresses of CPPROF_ADDR: what is one, what it means, how it is written again; and listening there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *text, *written; /* NULL: no address */
	enum listener_kind kind;
} texts[] = {
	{ "127.0.0.1:9527", "127.0.0.1:9527", LISTEN_LOOPBACK },
	{ "127.9.9.9:1", "127.9.9.9:1", LISTEN_LOOPBACK },
	{ "localhost:80", "127.0.0.1:80", LISTEN_LOOPBACK },
	{ ":9527", "127.0.0.1:9527", LISTEN_LOOPBACK },
	{ "9527", "127.0.0.1:9527", LISTEN_LOOPBACK },
	{ ":0", "127.0.0.1:0", LISTEN_LOOPBACK },
	{ "0.0.0.0:9527", "0.0.0.0:9527", LISTEN_OPEN },
	{ "*:9527", "0.0.0.0:9527", LISTEN_OPEN },
	{ "192.0.2.1:65535", "192.0.2.1:65535", LISTEN_OPEN },
	{ "[::1]:9527", "[::1]:9527", LISTEN_LOOPBACK },
	{ "[::]:9527", "[::]:9527", LISTEN_OPEN },
	{ "[0:0:0:0:0:0:0:1]:1", "[::1]:1", LISTEN_LOOPBACK },
	{ "[2001:DB8:0:0:1:0:0:1]:1", "[2001:db8::1:0:0:1]:1", LISTEN_OPEN },
	{ "[1:2:3:4:5:6:7:8]:1", "[1:2:3:4:5:6:7:8]:1", LISTEN_OPEN },
	{ "[1:0:3:4:5:6:7:8]:1", "[1:0:3:4:5:6:7:8]:1", LISTEN_OPEN },
	{ "[fe80::]:1", "[fe80::]:1", LISTEN_OPEN },
	{ "[::ffff:127.0.0.1]:1", "[::ffff:7f00:1]:1", LISTEN_LOOPBACK },
	{ "[::ffff:192.0.2.1]:1", "[::ffff:c000:201]:1", LISTEN_OPEN },
	{ "unix:/run/x.sock", "unix:/run/x.sock", LISTEN_LOCAL },
	{ "unix:@name", "unix:@name", LISTEN_LOCAL },
	{ "", NULL, 0 },
	{ "off", NULL, 0 },
	{ ":", NULL, 0 },
	{ "65536", NULL, 0 },
	{ "127.0.0.1", NULL, 0 },
	{ "127.0.0.1:", NULL, 0 },
	{ "127.0.0.1:65536", NULL, 0 },
	{ "127.0.0.1:99999999999", NULL, 0 },
	{ "127.0.0.1:80 ", NULL, 0 },
	{ "127.0.0.1:-1", NULL, 0 },
	{ "127.0.0.256:80", NULL, 0 },
	{ "127.0.0:80", NULL, 0 },
	{ "1.2.3.4.5:80", NULL, 0 },
	{ "localhostx:80", NULL, 0 },
	{ "example.org:80", NULL, 0 },
	{ "host:80", NULL, 0 },
	{ "::1:80", NULL, 0 },
	{ "[::1]", NULL, 0 },
	{ "[::1]80", NULL, 0 },
	{ "[::1:80", NULL, 0 },
	{ "[1:2:3:4:5:6:7]:80", NULL, 0 },
	{ "[1:2:3:4:5:6:7:8:9]:80", NULL, 0 },
	{ "[1::2::3]:80", NULL, 0 },
	{ "[1:2:3:4::5:6:7:8]:80", NULL, 0 },
	{ "[12345::]:80", NULL, 0 },
	{ "[:1]:80", NULL, 0 },
	{ "[1:]:80", NULL, 0 },
	{ "[::1.2.3]:80", NULL, 0 },
	{ "[]:80", NULL, 0 },
	{ "unix:", NULL, 0 },
	{ "unix:/"
	  "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
	  NULL, 0 },
	{ "http://127.0.0.1:80", NULL, 0 },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct address address;
		char written[ADDRESS_TEXT_SIZE];
		bool good = address_parse(texts[i].text, &address);
		if (good != (texts[i].written != NULL))
			print_error("%s\n", texts[i].text);
		assert_int_equal(good, texts[i].written != NULL);
		if (!good)
			continue;
		size_t length = address_format(&address, written, sizeof(written));
		assert_string_equal(written, texts[i].written);
		assert_int_equal(length, strlen(written));
		assert_int_equal(address.kind, texts[i].kind);
	}
}

static void test_written_is_cut(void **state)
{
	(void)state;
	struct address address;
	char written[8];
	assert_true(address_parse("127.0.0.1:9527", &address));
	assert_int_equal(address_format(&address, written, sizeof(written)), 7);
	assert_string_equal(written, "127.0.0");
}

static void test_free_port_is_told_and_taken_once(void **state)
{
	(void)state;
	struct address address, bound, again;
	char written[ADDRESS_TEXT_SIZE];
	assert_true(address_parse(":0", &address));
	int fd = address_listen(&address, &bound);
	assert_true(fd >= 0);
	address_format(&bound, written, sizeof(written));
	assert_true(strncmp(written, "127.0.0.1:", 10) == 0 && strcmp(written, "127.0.0.1:0") != 0);
	assert_int_equal(address_listen(&bound, &again), -EADDRINUSE);
	close(fd);
	fd = address_listen(&bound, &again);
	assert_true(fd >= 0);
	close(fd);
}

static void test_socket_files(void **state)
{
	(void)state;
	char directory[] = "/tmp/cpprof-address-XXXXXX", text[64], path[64];
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/x", directory);
	snprintf(text, sizeof(text), "unix:%s/x", directory);
	struct address address, bound;
	assert_true(address_parse(text, &address));
	int fd = address_listen(&address, &bound);
	assert_true(fd >= 0);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(address_listen(&address, &bound), -EADDRINUSE);
	close(fd); /* the file stays, as after a crash */
	fd = address_listen(&address, &bound);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	rmdir(directory);
	assert_int_equal(address_listen(&address, &bound), -ENOENT);
}

static void test_process_names(void **state)
{
	(void)state;
	struct address address;
	char written[ADDRESS_TEXT_SIZE];
	address_of_process(1234, 0, &address);
	address_format(&address, written, sizeof(written));
	assert_string_equal(written, "unix:@cpprof/1234");
	assert_int_equal(address.length, offsetof(struct sockaddr_un, sun_path) + 1 + strlen("cpprof/1234"));
	address_of_process(2147483647, 3, &address);
	address_format(&address, written, sizeof(written));
	assert_string_equal(written, "unix:@cpprof/2147483647/3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_written_is_cut),
		cmocka_unit_test(test_free_port_is_told_and_taken_once),
		cmocka_unit_test(test_socket_files),
		cmocka_unit_test(test_process_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
