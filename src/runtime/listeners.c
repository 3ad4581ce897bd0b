/* listeners.c - the sockets of the service thread. */
#include "runtime/listeners.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "runtime/shared/process.h"
#include "runtime/shared/sys.h"

#define WANTED_MAX 4
#define LOCAL_ATTEMPTS 8

struct wanted {
	struct address address;
	bool bound;
	bool given_up;
	char text[ADDRESS_TEXT_SIZE];
};

static struct {
	struct wanted wanted[WANTED_MAX];
	uint32_t count;
	struct address local;
	_Atomic bool local_open;
	char local_text[ADDRESS_TEXT_SIZE];
	_Atomic(const char *) current;
	_Atomic bool open;
	_Atomic int problem;
} listeners;

static bool worth_retrying(int error)
{
	/* In use by our parent, perhaps; or its interface is not up yet. */
	return error == -EADDRINUSE || error == -EADDRNOTAVAIL;
}

static int open_wanted(struct server *server, struct wanted *wanted)
{
	struct address bound;
	int fd = address_listen(&wanted->address, &bound);
	if (fd < 0)
		return fd;
	if (!server_listen(server, fd, bound.kind)) {
		sys_close(fd);
		return -ENOSPC;
	}
	/* Kept with its port: whoever takes it over after us takes this one. */
	wanted->address = bound;
	wanted->bound = true;
	address_format(&bound, wanted->text, sizeof(wanted->text));
	atomic_store_explicit(&listeners.current, wanted->text, memory_order_release);
	if (bound.kind == LISTEN_OPEN)
		atomic_store(&listeners.open, true);
	return 0;
}

static void open_local(struct server *server)
{
	for (int attempt = 0; attempt <= LOCAL_ATTEMPTS; attempt++) {
		address_of_process(process.pid, attempt, &listeners.local);
		int fd = address_listen(&listeners.local, &listeners.local);
		if (fd >= 0 && server_listen(server, fd, LISTEN_LOCAL)) {
			address_format(&listeners.local, listeners.local_text, sizeof(listeners.local_text));
			atomic_store_explicit(&listeners.local_open, true, memory_order_release);
			return;
		}
		if (fd >= 0)
			sys_close(fd);
		if (fd != -EADDRINUSE)
			return;
	}
}

void listeners_retry(struct server *server)
{
	for (uint32_t i = 0; i < listeners.count; i++) {
		struct wanted *wanted = &listeners.wanted[i];
		if (wanted->bound || wanted->given_up)
			continue;
		int error = open_wanted(server, wanted);
		if (error == 0 || worth_retrying(error))
			continue;
		wanted->given_up = true;
		atomic_store(&listeners.problem, -error);
	}
}

void listeners_open(struct server *server)
{
	open_local(server);
	listeners_retry(server);
}

bool listeners_missing(void)
{
	for (uint32_t i = 0; i < listeners.count; i++)
		if (!listeners.wanted[i].bound && !listeners.wanted[i].given_up)
			return true;
	return false;
}

static struct wanted *add_wanted(const struct address *address)
{
	if (listeners.count == WANTED_MAX)
		return NULL;
	struct wanted *wanted = &listeners.wanted[listeners.count++];
	*wanted = (struct wanted){ .address = *address };
	return wanted;
}

void listeners_want(const struct address *address)
{
	add_wanted(address);
}

static struct wanted *find_wanted(const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE], other[ADDRESS_TEXT_SIZE];
	address_format(address, text, sizeof(text));
	for (uint32_t i = 0; i < listeners.count; i++) {
		address_format(&listeners.wanted[i].address, other, sizeof(other));
		if (strcmp(text, other) == 0)
			return &listeners.wanted[i];
	}
	return NULL;
}

int listeners_add(struct server *server, const struct address *address)
{
	struct wanted *wanted = find_wanted(address);
	if (wanted && wanted->bound)
		return 0;
	if (wanted)
		return open_wanted(server, wanted);
	wanted = add_wanted(address);
	int error = wanted ? open_wanted(server, wanted) : -ENOSPC;
	if (wanted && error)
		listeners.count--;
	return error;
}

void listeners_closed(void)
{
	for (uint32_t i = 0; i < listeners.count; i++)
		listeners.wanted[i].bound = false;
	atomic_store(&listeners.local_open, false);
	atomic_store(&listeners.current, NULL);
}

const char *listeners_address(void)
{
	const char *text = atomic_load_explicit(&listeners.current, memory_order_acquire);
	return text ? text : "";
}

bool listeners_are_open(void)
{
	return atomic_load(&listeners.open);
}

int listeners_problem(void)
{
	return atomic_load(&listeners.problem);
}

const char *listeners_local_address(void)
{
	return atomic_load_explicit(&listeners.local_open, memory_order_acquire) ? listeners.local_text : "";
}

bool listeners_knock(void)
{
	if (!atomic_load_explicit(&listeners.local_open, memory_order_acquire))
		return false;
	int fd = (int)sys3(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	sys3(SYS_connect, fd, (long)&listeners.local.any, (long)listeners.local.length);
	sys_close(fd);
	return true;
}
