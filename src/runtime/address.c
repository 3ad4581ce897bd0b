/* address.c - addresses as text, and listening sockets. */
#include "runtime/address.h"

#include <errno.h>
#include <string.h>

#include "runtime/shared/own_libc.h"
#include "runtime/shared/sys.h"

#define BACKLOG 64

/* --- from text -------------------------------------------------------------------------------------------------------- */

/* A decimal number up to `most` at *text, which is moved behind it. */
static bool read_decimal(const char **text, uint32_t most, uint32_t *ret_value)
{
	const char *digit = *text;
	uint32_t value = 0;
	for (; *digit >= '0' && *digit <= '9' && value <= most; digit++)
		value = value * 10 + (uint32_t)(*digit - '0');
	if (digit == *text || value > most)
		return false;
	*text = digit;
	*ret_value = value;
	return true;
}

static bool read_v4(const char **text, unsigned char to[4])
{
	for (int i = 0; i < 4; i++) {
		uint32_t value;
		if (i > 0 && *(*text)++ != '.')
			return false;
		if (!read_decimal(text, 255, &value))
			return false;
		to[i] = (unsigned char)value;
	}
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	                              : -1;
}

/* The groups before or behind "::" up to `end`; the number of bytes, or -1. */
static int read_groups(const char **text, unsigned char to[16])
{
	int used = 0;
	while (hex_digit(**text) >= 0) {
		const char *group = *text;
		uint32_t value = 0;
		int digits = 0;
		for (; hex_digit(**text) >= 0 && digits < 5; digits++)
			value = value * 16 + (uint32_t)hex_digit(*(*text)++);
		if (**text == '.' && used <= 12) { /* ::ffff:127.0.0.1 */
			*text = group;
			return read_v4(text, to + used) ? used + 4 : -1;
		}
		if (digits > 4 || used > 14)
			return -1;
		to[used++] = (unsigned char)(value >> 8);
		to[used++] = (unsigned char)value;
		if (**text != ':' || (*text)[1] == ':')
			break;
		++*text;
		if (hex_digit(**text) < 0)
			return -1;
	}
	return used;
}

/* RFC 4291, 2.2. */
static bool read_v6(const char **text, unsigned char to[16])
{
	unsigned char front[16], back[16];
	int front_used = read_groups(text, front), back_used = 0;
	bool gap = **text == ':' && (*text)[1] == ':';
	if (gap) {
		*text += 2;
		back_used = read_groups(text, back);
	}
	if (front_used < 0 || back_used < 0 || (gap ? front_used + back_used > 14 : front_used != 16))
		return false;
	memset(to, 0, 16);
	memcpy(to, front, (size_t)front_used);
	memcpy(to + 16 - back_used, back, (size_t)back_used);
	return true;
}

static bool read_local(const char *path, struct address *address)
{
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof(address->local.sun_path))
		return false;
	address->local.sun_family = AF_UNIX;
	memcpy(address->local.sun_path, path, length + 1);
	address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	if (*path == '@') {
		address->local.sun_path[0] = '\0';
		address->length--;
	}
	address->kind = LISTEN_LOCAL;
	return true;
}

static bool skip_word(const char **text, const char *word)
{
	size_t length = strlen(word);
	bool found = strncmp(*text, word, length) == 0;
	if (found)
		*text += length;
	return found;
}

/* The host and the colon behind it. */
static bool read_host(const char **text, struct address *address)
{
	unsigned char bytes[16] = { 127, 0, 0, 1 };
	if (skip_word(text, "[")) {
		if (!read_v6(text, bytes) || !skip_word(text, "]:"))
			return false;
		address->v6.sin6_family = AF_INET6;
		memcpy(&address->v6.sin6_addr, bytes, 16);
		address->length = sizeof(address->v6);
		static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
		bool loopback = IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr) ||
		                (memcmp(bytes, mapped, sizeof(mapped)) == 0 && bytes[12] == 127);
		address->kind = loopback ? LISTEN_LOOPBACK : LISTEN_OPEN;
		return true;
	}
	if (skip_word(text, "*"))
		bytes[0] = bytes[3] = 0;
	else if (!skip_word(text, "localhost") && strchr(*text, '.') && !read_v4(text, bytes))
		return false;
	address->v4.sin_family = AF_INET;
	memcpy(&address->v4.sin_addr, bytes, 4);
	address->length = sizeof(address->v4);
	address->kind = bytes[0] == 127 ? LISTEN_LOOPBACK : LISTEN_OPEN;
	return skip_word(text, ":");
}

bool address_parse(const char *text, struct address *ret_address)
{
	struct address address;
	memset(&address, 0, sizeof(address));
	if (skip_word(&text, "unix:")) {
		if (!read_local(text, &address))
			return false;
		*ret_address = address;
		return true;
	}
	const char *rest = text;
	uint32_t port;
	if (!strchr(text, ':')) { /* a port alone */
		address.v4.sin_family = AF_INET;
		static const unsigned char loopback[4] = { 127, 0, 0, 1 };
		memcpy(&address.v4.sin_addr, loopback, 4);
		address.length = sizeof(address.v4);
		address.kind = LISTEN_LOOPBACK;
	} else if (!read_host(&rest, &address)) {
		return false;
	}
	if (!read_decimal(&rest, 65535, &port) || *rest)
		return false;
	address.v4.sin_port = (in_port_t)__builtin_bswap16((uint16_t)port); /* at the same place in both */
	*ret_address = address;
	return true;
}

/* --- to text ---------------------------------------------------------------------------------------------------------- */

/* RFC 5952: the longest run of at least two zero groups becomes "::". */
static size_t format_v6(const unsigned char *bytes, char *to, size_t size)
{
	uint16_t groups[8];
	int run_start = -1, run_length = 1;
	for (int i = 0; i < 8; i++)
		groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
	for (int i = 0; i < 8; i++) {
		int length = 0;
		while (i + length < 8 && groups[i + length] == 0)
			length++;
		if (length > run_length) {
			run_start = i;
			run_length = length;
		}
	}
	size_t used = 0;
	for (int i = 0; i < 8; i++) {
		if (i == run_start) {
			used += (size_t)own_snprintf(to + used, size - used, "::");
			i += run_length - 1;
		} else {
			bool first = i == 0 || (run_start >= 0 && i == run_start + run_length);
			used += (size_t)own_snprintf(to + used, size - used, "%s%x", first ? "" : ":", (unsigned)groups[i]);
		}
	}
	return used;
}

size_t address_format(const struct address *address, char *to, size_t size)
{
	unsigned port = __builtin_bswap16(address->v4.sin_port);
	char host[64];
	int length;
	if (address->any.sa_family == AF_UNIX) {
		size_t path_length = address->length - offsetof(struct sockaddr_un, sun_path);
		bool abstract = address->local.sun_path[0] == '\0';
		const char *path = address->local.sun_path + abstract;
		path_length = abstract ? path_length - 1 : strnlen(path, path_length);
		length = own_snprintf(to, size, "unix:%s%.*s", abstract ? "@" : "", (int)path_length, path);
	} else if (address->any.sa_family == AF_INET6) {
		format_v6(address->v6.sin6_addr.s6_addr, host, sizeof(host));
		length = own_snprintf(to, size, "[%s]:%u", host, port);
	} else {
		unsigned char bytes[4];
		memcpy(bytes, &address->v4.sin_addr, 4);
		length = own_snprintf(to, size, "%u.%u.%u.%u:%u", (unsigned)bytes[0], (unsigned)bytes[1], (unsigned)bytes[2],
		                      (unsigned)bytes[3], port);
	}
	return (size_t)length < size ? (size_t)length : size - 1;
}

void address_of_process(int pid, int attempt, struct address *ret_address)
{
	char name[48];
	if (attempt > 0)
		own_snprintf(name, sizeof(name), "@cpprof/%d/%d", pid, attempt);
	else
		own_snprintf(name, sizeof(name), "@cpprof/%d", pid);
	memset(ret_address, 0, sizeof(*ret_address));
	read_local(name, ret_address);
}

/* --- listening -------------------------------------------------------------------------------------------------------- */

static bool is_file(const struct address *address)
{
	return address->any.sa_family == AF_UNIX && address->local.sun_path[0] != '\0';
}

/* True if nobody listens behind the socket's file. */
static bool is_left_over(const struct address *address)
{
	int fd = (int)sys3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	long connected = sys3(SYS_connect, fd, (long)&address->any, (long)address->length);
	sys_close(fd);
	return connected == -ECONNREFUSED;
}

static long bind_there(int fd, const struct address *address)
{
	int one = 1;
	if (address->any.sa_family != AF_UNIX)
		sys6(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, (long)&one, sizeof(one), 0);
	if (is_file(address))
		sys3(SYS_fchmod, fd, 0600, 0); /* the file's mode; Linux takes it from the unbound socket */
	long bound = sys3(SYS_bind, fd, (long)&address->any, (long)address->length);
	if (bound == -EADDRINUSE && is_file(address) && is_left_over(address)) {
		sys3(SYS_unlink, (long)address->local.sun_path, 0, 0);
		bound = sys3(SYS_bind, fd, (long)&address->any, (long)address->length);
	}
	return bound;
}

int address_listen(const struct address *address, struct address *ret_bound)
{
	int fd = (int)sys3(SYS_socket, address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	long done = bind_there(fd, address);
	if (done >= 0)
		done = sys3(SYS_listen, fd, BACKLOG, 0);
	if (done < 0) {
		sys_close(fd);
		return (int)done;
	}
	struct address bound = *address;
	if (address->any.sa_family != AF_UNIX) {
		socklen_t length = sizeof(bound.v6);
		sys3(SYS_getsockname, fd, (long)&bound.any, (long)&length);
	}
	*ret_bound = bound;
	return fd;
}
