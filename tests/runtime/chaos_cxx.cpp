// chaos_cxx.cpp - everything that a C++ program may do, at once: chaos_cxx SECONDS SEED PLUGIN PLUGIN. Knows nothing of the library.
//
// Exceptions through deep stacks, out of callbacks of libc, across plugins' comings and goings and through locks held by guards; threads,
// tasks and futures; cancellation past destructors; once-functions that throw; condition variables, shared and timed mutexes with
// counters that check themselves; new and delete; children. A wrong result, or a worker that has not got on for a minute, ends the program.
//
// What is planted and printed in the end is as in chaos.c.
#include "chaos.h"

#include <atomic>
#include <condition_variable>
#include <cxxabi.h>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace std::chrono_literals;

static std::atomic<bool> stop;
static const char *plugins[2];

struct Worker {
	const char *name;
	void (*run)(Worker &worker);
	uint32_t random = 0;
	std::atomic<uint64_t> progress{ 0 };
	std::atomic<bool> ended{ false };
	std::thread thread{};

	uint32_t next()
	{
		return chaos_random(&random);
	}
	void goes_on()
	{
		progress.fetch_add(1, std::memory_order_relaxed);
	}
};

// ---- exceptions ----

struct Trouble : std::runtime_error {
	int depth;
	Trouble(int deep) : std::runtime_error("trouble " + std::to_string(deep)), depth(deep)
	{
	}
};

static std::mutex guard_mutexes[8];
static std::atomic<int> guards;

// Each level holds something that must be given back on the way out.
static __attribute__((noinline)) int throw_deep(int depth, int from)
{
	std::unique_ptr<std::string> text(new std::string(static_cast<size_t>(depth) + 40, 'x'));
	if (depth < 8) {
		std::lock_guard<std::mutex> guard(guard_mutexes[depth]);
		guards++;
		struct Count {
			~Count()
			{
				guards--;
			}
		} count;
		if (depth == 0)
			throw Trouble(from);
		return throw_deep(depth - 1, from) + static_cast<int>(text->size());
	}
	return throw_deep(depth - 1, from) + static_cast<int>(text->size());
}

static int compare_throws(const void *left, const void *)
{
	throw Trouble(*static_cast<const int *>(left));
}

static void throw_about(Worker &worker)
{
	while (!stop) {
		int from = 8 + static_cast<int>(worker.next() % 80);
		try {
			throw_deep(from, from);
			MUST(!"nothing was thrown");
		} catch (const Trouble &trouble) {
			MUST(trouble.depth == from && trouble.what() == "trouble " + std::to_string(from));
		}
		int numbers[] = { 5, 5, 5, 5 };
		try {
			std::qsort(numbers, 4, sizeof(int), compare_throws);
			MUST(!"qsort");
		} catch (const std::exception &trouble) {
			MUST(std::string("trouble 5") == trouble.what());
		}
		try {
			std::vector<char> huge(static_cast<size_t>(1) << 46);
			MUST(!"memory");
		} catch (const std::bad_alloc &) {
		}
		// Thrown again elsewhere.
		std::exception_ptr kept;
		try {
			throw_deep(9, 9);
		} catch (...) {
			kept = std::current_exception();
		}
		std::thread([&] {
			try {
				std::rethrow_exception(kept);
			} catch (const Trouble &trouble) {
				MUST(trouble.depth == 9);
			}
		}).join();
		worker.goes_on();
	}
}

// ---- locks of all kinds ----

static struct {
	std::mutex plain;
	std::timed_mutex timed;
	std::recursive_mutex recursive;
	std::recursive_timed_mutex recursive_timed;
	std::shared_mutex shared;
	std::shared_timed_mutex shared_timed;
	uint64_t values[6][2];
} locks;

static void count(uint64_t (&values)[2], Worker &worker)
{
	MUST(values[0] == values[1]);
	values[0]++;
	for (volatile uint32_t i = 0; i < worker.next() % 200; i++)
		;
	values[1]++;
}

static void count_up(Worker &worker)
{
	while (!stop) {
		switch (worker.next() % 8) {
		case 0: {
			std::lock_guard<std::mutex> guard(locks.plain);
			count(locks.values[0], worker);
			break;
		}
		case 1: {
			std::unique_lock<std::timed_mutex> guard(locks.timed, 3600s);
			MUST(guard.owns_lock());
			count(locks.values[1], worker);
			break;
		}
		case 2: {
			std::lock_guard<std::recursive_mutex> guard(locks.recursive);
			std::lock_guard<std::recursive_mutex> again(locks.recursive);
			count(locks.values[2], worker);
			break;
		}
		case 3: {
			std::unique_lock<std::recursive_timed_mutex> guard(locks.recursive_timed,
			                                                   std::chrono::steady_clock::now() + 3600s);
			MUST(guard.owns_lock());
			count(locks.values[3], worker);
			break;
		}
		case 4: {
			std::unique_lock<std::shared_mutex> guard(locks.shared);
			count(locks.values[4], worker);
			break;
		}
		case 5: {
			std::shared_lock<std::shared_mutex> guard(locks.shared);
			MUST(locks.values[4][0] == locks.values[4][1]);
			break;
		}
		case 6: {
			std::unique_lock<std::shared_timed_mutex> guard(locks.shared_timed, 3600s);
			MUST(guard.owns_lock());
			count(locks.values[5], worker);
			break;
		}
		default: {
			std::scoped_lock guard(locks.plain, locks.timed);
			count(locks.values[0], worker);
			count(locks.values[1], worker);
		}
		}
		worker.goes_on();
	}
}

// ---- a queue with an end: everything that goes in comes out, once, in the order of its producer ----

struct Queue {
	std::mutex mutex;
	std::condition_variable more;
	std::condition_variable_any less;
	std::vector<uint64_t> items;
	bool closed = false;
};

static void queue_up(Worker &worker)
{
	Queue queue;
	uint64_t given = 0, taken = 0;
	std::thread producer([&] {
		while (!stop) {
			std::unique_lock<std::mutex> lock(queue.mutex);
			queue.less.wait(lock, [&] { return queue.items.size() < 4; });
			queue.items.push_back(given++);
			queue.more.notify_one();
		}
		std::lock_guard<std::mutex> lock(queue.mutex);
		queue.closed = true;
		queue.more.notify_all();
	});
	for (;;) {
		std::unique_lock<std::mutex> lock(queue.mutex);
		auto ready = [&] { return !queue.items.empty() || queue.closed; };
		if (taken % 3 == 0)
			queue.more.wait(lock, ready);
		else if (taken % 3 == 1)
			MUST(queue.more.wait_for(lock, 3600s, ready));
		else
			MUST(queue.more.wait_until(lock, std::chrono::system_clock::now() + 3600s, ready));
		if (queue.items.empty())
			break;
		for (uint64_t item : queue.items)
			MUST(item == taken++);
		queue.items.clear();
		queue.less.notify_all();
		lock.unlock();
		worker.goes_on();
	}
	producer.join();
	MUST(given == taken);
}

// ---- futures, once, thread-local things ----

static std::atomic<int64_t> alive;
struct Local {
	std::string text = "a string that is too long to be kept in place";
	Local()
	{
		alive++;
	}
	~Local()
	{
		alive--;
	}
};
static thread_local Local local;

static void promise(Worker &worker)
{
	while (!stop) {
		uint64_t number = worker.next();
		auto task = std::async(std::launch::async, [=] {
			MUST(local.text.size() > 16);
			if (number % 3 == 0)
				throw Trouble(static_cast<int>(number % 1000));
			return number * 2;
		});
		try {
			MUST(task.wait_for(3600s) == std::future_status::ready);
			MUST(task.get() == number * 2 && number % 3);
		} catch (const Trouble &trouble) {
			MUST(trouble.depth == static_cast<int>(number % 1000));
		}
		std::once_flag flag;
		int calls = 0;
		for (int i = 0; i < 3; i++)
			try {
				std::call_once(flag, [&] {
					if (calls++ == 0)
						throw Trouble(1);
				});
			} catch (const Trouble &) {
				MUST(calls == 1);
			}
		MUST(calls == 2);
		worker.goes_on();
	}
}

// ---- cancellation runs destructors, and may be caught on its way ----

static void cancel(Worker &worker)
{
	while (!stop) {
		std::atomic<int> destroyed{ 0 }, caught{ 0 }, ready{ 0 };
		std::mutex mutex;
		std::condition_variable never;
		struct Destroyed {
			std::atomic<int> &destroyed_;
			~Destroyed()
			{
				destroyed_++;
			}
		};
		std::thread thread([&] {
			Destroyed one{ destroyed };
			try {
				std::unique_lock<std::mutex> lock(mutex);
				Destroyed two{ destroyed };
				ready = 1;
				for (;;)
					never.wait(lock);
			} catch (const abi::__forced_unwind &) {
				caught = 1;
				throw;
			}
		});
		while (!ready)
			std::this_thread::yield();
		MUST(pthread_cancel(thread.native_handle()) == 0);
		thread.join();
		MUST(destroyed == 2 && caught == 1 && mutex.try_lock());
		mutex.unlock();
		worker.goes_on();
		std::this_thread::sleep_for(500us);
	}
}

// ---- memory ----

static void allocate(Worker &worker)
{
	std::map<uint32_t, std::shared_ptr<std::string>> map;
	while (!stop) {
		for (int i = 0; i < 100; i++) {
			uint32_t key = worker.next() % 500;
			auto found = map.find(key);
			if (found == map.end()) {
				map[key] = std::make_shared<std::string>(key + 1, static_cast<char>('a' + key % 26));
			} else {
				MUST(found->second->size() == key + 1 && (*found->second)[key] == static_cast<char>('a' + key % 26));
				map.erase(found);
			}
		}
		struct alignas(128) Aligned {
			char bytes[300];
		};
		std::unique_ptr<Aligned[]> aligned(new Aligned[3]);
		MUST(reinterpret_cast<uintptr_t>(aligned.get()) % 128 == 0);
		worker.goes_on();
		std::this_thread::sleep_for(200us);
	}
}

// ---- children, plugins, signals ----

static int child()
{
	std::mutex mutex;
	uint64_t sum = 0;
	std::vector<std::thread> threads;
	for (int i = 0; i < 2; i++)
		threads.emplace_back([&] {
			for (int k = 0; k < 50; k++) {
				std::lock_guard<std::mutex> lock(mutex);
				sum++;
			}
		});
	for (auto &thread : threads)
		thread.join();
	try {
		throw_deep(20, 20);
	} catch (const Trouble &trouble) {
		return sum == 100 && trouble.depth == 20 ? 33 : 1;
	}
	return 2;
}

static void fork_about(Worker &worker)
{
	while (!stop) {
		bool at_once = worker.next() % 2;
		pid_t pid = fork();
		if (pid == 0)
			_exit(at_once ? 7 : [] {
				// Somebody else may have held them.
				for (auto &mutex : guard_mutexes)
					new (&mutex) std::mutex;
				return child();
			}());
		int status = 0;
		MUST(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		     WEXITSTATUS(status) == (at_once ? 7 : 33));
		worker.goes_on();
		std::this_thread::sleep_for(10ms);
	}
}

static void plug(Worker &worker)
{
	while (!stop) {
		void *plugin = dlopen(plugins[worker.next() % 2], RTLD_NOW);
		MUST(plugin);
		auto work = reinterpret_cast<uint64_t (*)(uint64_t)>(dlsym(plugin, "chaos_plugin_work"));
		MUST(work && work(100) == 5050);
		MUST(dlclose(plugin) == 0);
		worker.goes_on();
	}
}

static std::atomic<uint64_t> handled;

static void be_interrupted(Worker &worker)
{
	struct sigaction action = {};
	action.sa_handler = [](int) { handled++; };
	action.sa_flags = SA_RESTART;
	MUST(sigaction(SIGUSR1, &action, nullptr) == 0);
	std::atomic<bool> ended{ false };
	std::thread victim([&] {
		sigset_t mine;
		sigemptyset(&mine);
		sigaddset(&mine, SIGUSR1);
		pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);
		while (!stop) {
			auto begun = std::chrono::steady_clock::now();
			std::this_thread::sleep_for(2ms); // begins again by itself
			MUST(std::chrono::steady_clock::now() - begun >= 2ms);
			try {
				throw_deep(12, 12);
			} catch (const Trouble &trouble) {
				MUST(trouble.depth == 12);
			}
			worker.goes_on();
		}
		pthread_sigmask(SIG_BLOCK, &mine, nullptr);
		ended = true;
	});
	while (!ended) {
		QUIET(pthread_kill(victim.native_handle(), SIGUSR1));
		std::this_thread::sleep_for(1ms);
	}
	victim.join();
}

static Worker workers[] = {
	{ "throws", throw_about },     { "throws", throw_about }, { "counters", count_up }, { "counters", count_up },
	{ "counters", count_up },      { "queue", queue_up },     { "promises", promise },  { "cancels", cancel },
	{ "memory", allocate },        { "memory", allocate },    { "forks", fork_about },  { "plugs", plug },
	{ "signals", be_interrupted },
};

// ---- what is planted, as in chaos.c ----

static std::mutex planted_mutex;
static std::atomic<int> planted_turn, planted_tid;
static std::atomic<uint64_t> planted_begun;
static uint64_t waits, wait_at_least_ns, wait_at_most_ns, leaks, sleeps;
static void *volatile leaked;
enum { LEAK_SIZE = 1000 };

extern "C" {
__attribute__((noinline)) static void planted_wait()
{
	planted_begun = chaos_now(CLOCK_MONOTONIC);
	planted_mutex.lock();
	wait_at_most_ns += chaos_now(CLOCK_MONOTONIC) - planted_begun;
	planted_mutex.unlock();
}

__attribute__((noinline)) static void planted_unlock()
{
	planted_mutex.unlock();
	__asm__ volatile("");
}

__attribute__((noinline)) static void planted_leak()
{
	leaked = new char[LEAK_SIZE];
	leaks++;
}

__attribute__((noinline)) static void planted_sleep()
{
	struct timespec time = { 0, 2000000 };
	MUST(nanosleep(&time, nullptr) == 0);
	sleeps++;
}
}

static bool is_asleep(int tid)
{
	char path[64], text[256];
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return false;
	text[length] = 0;
	const char *state = strrchr(text, ')');
	return state && state[1] && state[2] == 'S';
}

static void plant()
{
	planted_mutex.lock();
	planted_begun = 0;
	planted_turn = 1;
	while (!planted_begun)
		std::this_thread::sleep_for(50us);
	std::this_thread::sleep_for(200us);
	while (!is_asleep(planted_tid))
		std::this_thread::sleep_for(50us);
	uint64_t asleep = chaos_now(CLOCK_MONOTONIC);
	std::this_thread::sleep_for(3ms);
	wait_at_least_ns += chaos_now(CLOCK_MONOTONIC) - asleep;
	planted_unlock();
	while (planted_turn != 2)
		std::this_thread::sleep_for(50us);
	waits++;
	planted_leak();
	planted_sleep();
}

static std::atomic<bool> all_ended;

static void watch()
{
	std::map<Worker *, std::pair<uint64_t, int>> seen;
	for (int ticks = 1; !all_ended; ticks++) {
		std::this_thread::sleep_for(200ms);
		if (ticks % 5)
			continue;
		for (Worker &worker : workers) {
			auto &last = seen[&worker];
			last = { worker.progress, worker.progress == last.first && !worker.ended ? last.second + 1 : 0 };
			if (last.second > 60)
				chaos_fail(worker.name, "does not get on", last.second);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	plugins[0] = argv[3];
	plugins[1] = argv[4];
	sigset_t mine;
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mine, nullptr);
	puts("begun");
	fflush(stdout);
	uint64_t end = chaos_now(CLOCK_MONOTONIC) + strtoull(argv[1], nullptr, 10) * 1000000000u;
	std::thread waiter([] {
		planted_tid = static_cast<int>(syscall(SYS_gettid));
		while (planted_turn != 3) {
			if (planted_turn == 1) {
				planted_wait();
				planted_turn = 2;
			}
			std::this_thread::sleep_for(200us);
		}
	});
	std::thread watchdog(watch);
	while (!planted_tid)
		std::this_thread::sleep_for(100us);
	uint32_t seed = static_cast<uint32_t>(strtoul(argv[2], nullptr, 10));
	for (Worker &worker : workers) {
		worker.random = seed += 7919;
		worker.thread = std::thread([&worker] { worker.run(worker); });
	}
	while (chaos_now(CLOCK_MONOTONIC) < end)
		plant();
	planted_turn = 3;
	waiter.join();
	stop = true;
	for (Worker &worker : workers) {
		worker.thread.join();
		worker.ended = true;
		printf("worker %s %llu\n", worker.name, static_cast<unsigned long long>(worker.progress));
	}
	all_ended = true;
	watchdog.join();
	const std::pair<const char *, uint64_t> told[] = {
		{ "waits", waits }, { "wait_at_least_ns", wait_at_least_ns }, { "wait_at_most_ns", wait_at_most_ns },
		{ "leaks", leaks }, { "leaked_bytes", leaks * LEAK_SIZE },    { "sleeps", sleeps }
	};
	for (auto &pair : told)
		printf("%s %llu\n", pair.first, static_cast<unsigned long long>(pair.second));
	puts("ready");
	fflush(stdout);
	char byte;
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
