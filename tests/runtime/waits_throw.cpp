// waits_throw.cpp - C++ exceptions, and destructors run by cancellation, around the calls that are wrapped; the same lines
// with and without the library. Prints "ok NAME" or "WRONG NAME".
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static void report(bool right, const char *name)
{
	std::printf("%s %s\n", right ? "ok" : "WRONG", name);
}

static int compare_throws(const void *, const void *)
{
	throw std::runtime_error("from qsort");
}

static void throw_from_callback()
{
	int numbers[] = { 2, 1, 3 };
	try {
		std::qsort(numbers, 3, sizeof(int), compare_throws);
		report(false, "exception through qsort");
	} catch (const std::runtime_error &) {
		report(true, "exception through qsort");
	}
}

static void throw_from_once()
{
	std::once_flag flag;
	int calls = 0;
	for (int i = 0; i < 2; i++) {
		try {
			std::call_once(flag, [&] {
				if (calls++ == 0)
					throw std::runtime_error("once");
			});
		} catch (const std::runtime_error &) {
		}
	}
	report(calls == 2, "exception out of call_once");
}

static int silent[2];
static volatile bool destroyed;

struct Guard {
	~Guard()
	{
		destroyed = true;
	}
};

// A thread cancelled in a wrapped read unwinds its C++ frames.
static void *cancelled(void *)
{
	Guard guard;
	char byte;
	try {
		(void)!read(silent[0], &byte, 1);
	} catch (...) {
		throw;
	}
	return nullptr;
}

static void cancel_runs_destructors()
{
	pthread_t thread;
	void *result = nullptr;
	pthread_create(&thread, nullptr, cancelled, nullptr);
	usleep(20000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	report(result == PTHREAD_CANCELED && destroyed, "cancellation runs destructors");
}

// Compiled with -fnon-call-exceptions this is legal: a handler that throws out of the wait it has interrupted.
static void throw_out(int)
{
	throw std::runtime_error("from a handler");
}

static void throw_out_of_wait()
{
	struct sigaction action = {};
	action.sa_handler = throw_out;
	action.sa_flags = SA_NODEFER;
	sigaction(SIGALRM, &action, nullptr);
	int caught = 0;
	for (int i = 0; i < 10; i++) {
		struct itimerval time = { { 0, 0 }, { 0, 2000 } };
		char byte;
		try {
			setitimer(ITIMER_REAL, &time, nullptr);
			(void)!read(silent[0], &byte, 1);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	report(caught == 10, "exception out of a handler in read");
}

static void futures()
{
	auto task = std::async(std::launch::async, [] {
		std::mutex mutex;
		std::condition_variable condition;
		std::unique_lock<std::mutex> lock(mutex);
		condition.wait_for(lock, std::chrono::milliseconds(5));
		throw std::runtime_error("from a task");
		return 1;
	});
	try {
		task.get();
		report(false, "exception through a future");
	} catch (const std::runtime_error &) {
		report(true, "exception through a future");
	}
}

int main()
{
	if (pipe(silent) < 0)
		return 1;
	throw_from_callback();
	throw_from_once();
	cancel_runs_destructors();
	throw_out_of_wait();
	futures();
}
