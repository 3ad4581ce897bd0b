// heap_operators.cpp - every form of operator new and delete, 70 blocks of which 10 of 1,000 bytes stay; then requests that
// cannot be met, whose std::bad_alloc must come through. As a program (heap profile to the file named by its argument), or
// with -DPLUGIN as a shared library for heap_plugin.c.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <new>
#include <unistd.h>

struct alignas(128) Aligned {
	char bytes[256];
};

static void *volatile sink;

template <class T> static T *seen(T *block)
{
	if (reinterpret_cast<uintptr_t>(block) % alignof(T))
		abort();
	sink = block;
	return block;
}

extern "C" __attribute__((noinline)) void all_forms()
{
	for (int i = 0; i < 10; i++) {
		delete seen(new int(4));
		delete[] seen(new int[100]);
		::operator delete(seen(new (std::nothrow) int), std::nothrow);
		delete seen(new Aligned);
		delete[] seen(new Aligned[2]);
		::operator delete(seen(new (std::nothrow) Aligned), std::align_val_t(128), std::nothrow);
		seen(new char[1000])[0] = 1;
	}
}

static int catch_all()
{
	volatile size_t huge = static_cast<size_t>(1) << 62;
	int caught = 0;
	if (getenv("NO_THROW"))
		return 0;
	try {
		seen(new char[huge]);
	} catch (const std::bad_alloc &) {
		caught++;
	}
	try {
		sink = ::operator new(huge, std::align_val_t(64));
	} catch (const std::bad_alloc &) {
		caught++;
	}
	return new (std::nothrow) char[huge] ? -1 : caught;
}

extern "C" int operators(const char *path)
{
	all_forms();
	void *address = dlsym(RTLD_DEFAULT, "cpprof_write");
	if (address && path) {
		int (*profile_write)(const char *, int, int);
		memcpy(&profile_write, &address, sizeof(address));
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || profile_write("heap", fd, 0))
			return 1;
		close(fd);
	}
	printf("caught %d\n", catch_all());
	return 0;
}

#ifndef PLUGIN
int main(int argc, char **argv)
{
	return operators(argc > 1 ? argv[1] : nullptr);
}
#endif
