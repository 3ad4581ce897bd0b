// unload_kinds.cpp - unloads in all the ways there are, and says what it sees: each line must be the same with and without the library.
//
//     unload_kinds ALPHA BETA CHAIN       the paths of the plugins
#include <dlfcn.h>
#include <link.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <pthread.h>
#include <unistd.h>
#include <sys/wait.h>

static int count_plugin(struct dl_phdr_info *info, size_t, void *count)
{
	if (info->dlpi_name && std::strstr(info->dlpi_name, "unload_plugin"))
		++*static_cast<int *>(count);
	return 0;
}

static int plugins()
{
	int count = 0;
	dl_iterate_phdr(count_plugin, &count);
	return count;
}

static void *opened(const char *path, int flags = RTLD_NOW | RTLD_LOCAL)
{
	void *handle = dlopen(path, flags);
	if (!handle)
		std::printf("dlopen: %s\n", dlerror());
	return handle;
}

static void close_and_tell(const char *what, void *handle)
{
	errno = 4711;
	int status = dlclose(handle), error = errno;
	const char *text = dlerror(), *slash = text ? std::strrchr(text, '/') : nullptr;
	std::printf("%s: %d, errno %s, dlerror %s, plugins %d\n", what, status,
	            error == 4711 ? "kept" : std::strerror(error), text ? slash ? slash : text : "none", plugins());
}

static void counted(const char *path)
{
	void *first = opened(path), *second = opened(path);
	close_and_tell("the first of two", second);
	close_and_tell("the second of two", first);
	close_and_tell("the program", dlopen(nullptr, RTLD_NOW));
	close_and_tell("one that never goes", opened(path, RTLD_NOW | RTLD_NODELETE));
}

// What is no handle: zeros, which the linker takes for a file that is not open.
static void failing()
{
	static long zeros[1024];
	close_and_tell("what is not open", zeros);
}

// dlerror() of an earlier failure is not ours to take.
static void error_stays(const char *path)
{
	void *handle = opened(path);
	dlsym(handle, "no_such_function");
	close_and_tell("after a failure", handle);
}

static void other_namespace(const char *path)
{
	void *handle = dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		std::printf("dlmopen: %s\n", dlerror());
		return;
	}
	close_and_tell("another namespace", handle);
}

static void in_child(const char *path)
{
	void *handle = opened(path);
	std::fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close_and_tell("in a fork child", handle);
		std::fflush(stdout);
		_exit(3);
	}
	int status = 0;
	waitpid(child, &status, 0);
	std::printf("the child ended with %d\n", WEXITSTATUS(status));
	close_and_tell("in its parent", handle);
}

static void *closing_thread(void *argument)
{
	auto path = static_cast<const char *>(argument);
	for (int i = 0; i < 300; i++) {
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!handle || dlclose(handle) != 0)
			return argument;
	}
	return nullptr;
}

// Two threads at the same time, and exceptions, which look for their tables, in a third.
static void at_once(char *one, char *two)
{
	pthread_t threads[2];
	void *failed = nullptr, *result = nullptr;
	int caught = 0;
	pthread_create(&threads[0], nullptr, closing_thread, one);
	pthread_create(&threads[1], nullptr, closing_thread, two);
	for (int i = 0; i < 2000; i++) {
		try {
			throw i;
		} catch (int) {
			caught++;
		}
	}
	for (pthread_t thread : threads) {
		pthread_join(thread, &result);
		failed = result ? result : failed;
	}
	std::printf("two threads: %s, %d caught, plugins %d\n", failed ? "failed" : "well", caught, plugins());
}

// Closes at exit, when other destructors have run already.
struct AtExit {
	void *handle = nullptr;
	~AtExit()
	{
		close_and_tell("at exit", handle);
	}
};
static AtExit at_exit;

int main(int count, char **arguments)
{
	if (count != 4)
		return 2;
	std::setvbuf(stdout, nullptr, _IONBF, 0);
	counted(arguments[2]);
	failing();
	error_stays(arguments[1]);
	close_and_tell("one that closes another when it goes", opened(arguments[3]));
	other_namespace(arguments[1]);
	in_child(arguments[1]);
	at_once(arguments[1], arguments[3]);
	at_exit.handle = opened(arguments[1]);
	return 0;
}
