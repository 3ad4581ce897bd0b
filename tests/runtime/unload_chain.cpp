// unload_chain.cpp - a plugin that loads another (OTHER) when it comes and unloads it when it goes: dlclose within dlclose.
#include <dlfcn.h>

static struct Chain {
	void *handle;
	Chain() : handle(dlopen(OTHER, RTLD_NOW | RTLD_LOCAL))
	{
	}
	~Chain()
	{
		if (handle)
			dlclose(handle);
	}
} chain;
