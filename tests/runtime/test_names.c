/* Modules of this very process, its symbols, and the parsers of what the kernel and the helper say. No helper is started. The functions
 * of libc that are looked up are ones that no sanitizer has a version of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "collect_fakes.h"
#include "runtime/collect/elf_image.h"
#include "runtime/collect/helper_answer.h"
#include "runtime/collect/maps.h"
#include "runtime/collect/name_cache.h"
#include "runtime/collect/names.h"
#include "runtime/shared/region.h"
#include "runtime/shared/settings.h"

static void run(void (*work)(void *arg))
{
	assert_true(fake_run(work));
}

/* A local symbol: only .symtab has it. */
static __attribute__((noinline)) int local_function(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3;
}

/* A page of text with nothing else on it. */
static __attribute__((noinline, aligned(4096))) int movable_function(int x)
{
	__asm__ volatile("jmp 1f\n\t.skip 4096, 0x90\n1:" : "+r"(x));
	return x * 3;
}

static uintptr_t address_of(int (*function)(int))
{
	return (uintptr_t)function;
}

/* --- /proc/self/maps ------------------------------------------------------------------------------------------------ */

static void maps_work(void *arg)
{
	(void)arg;
	static const char text[] = "55d0c0a00000-55d0c0a22000 r--p 00000000 fe:01 42      /bin/da sh (deleted)\n"
							   "nonsense\n"
							   "7fff0000-7fff1000 r-xp 00001000 00:00 0 \n"
							   "7fff1000-7fff2000 rw-p 00000000 00:00 0          [stack]\n"
							   "8000-7000 r-xp 00000000 00:00 0  backwards\n"
							   "10000-11000 --xp 00002000 00:1f 7 /a\\012b\n"
							   "fffffffffffff0000-11000 --xp 00002000 00:1f 7 /over\n"
							   "20000-21000 r-xp 0 01:02 9 /cut";
	struct maps maps;
	maps_parse(text, sizeof(text) - 1, &maps);
	assert_int_equal(maps.count, 5);
	assert_string_equal(maps.entries[0].path, "/bin/da sh");
	assert_true(maps.entries[0].deleted);
	assert_false(maps.entries[0].executable);
	assert_int_equal(maps.entries[0].inode, 42);
	assert_int_equal(maps.entries[0].device, (uint64_t)0xfe << 32 | 1);
	assert_string_equal(maps.entries[1].path, "");
	assert_int_equal(maps.entries[1].offset, 0x1000);
	assert_string_equal(maps.entries[2].path, "[stack]");
	assert_string_equal(maps.entries[3].path, "/a\nb");
	assert_string_equal(maps.entries[4].path, "/cut");
}

static void lines_of_maps_are_taken_apart(void **state)
{
	(void)state;
	run(maps_work);
}

static void modules_work(void *arg)
{
	(void)arg;
	struct module_list list;
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(length > 0);
	self[length] = '\0';
	modules_read(&list);
	assert_true(list.count >= 3);
	assert_string_equal(list.modules[0].path, self);
	assert_ptr_equal(modules_find(&list, address_of(local_function)), &list.modules[0]);
	const struct module *libc = modules_find(&list, (uintptr_t)&setlogmask);
	assert_non_null(libc);
	assert_non_null(strstr(libc->path, "libc"));
	assert_int_equal(strlen(libc->build_id), 40);
	const struct module *vdso = modules_find(&list, getauxval(AT_SYSINFO_EHDR) + 0x40);
	assert_non_null(vdso);
	assert_string_equal(vdso->path, "[vdso]");
	assert_null(modules_find(&list, 0x10));
	assert_null(modules_find(&list, (uintptr_t)&list));
	for (uint32_t i = 2; i < list.count; i++)
		assert_true(list.modules[i].is_main || list.modules[i].start >= list.modules[i - 1].limit ||
		            list.modules[i - 1].is_main);
}

static void modules_are_those_of_the_process(void **state)
{
	(void)state;
	run(modules_work);
}

/* Text in two mappings, as after mprotect and back, and on anonymous pages, as after a move to huge pages. */
static void split_work(void *arg)
{
	(void)arg;
	struct module_list list;
	uintptr_t page = address_of(movable_function);
	void *text = (void *)page, *copy = malloc(4096);
	memcpy(copy, text, 4096);
	modules_read(&list);
	struct module before = list.modules[0];
	assert_true(page > before.start && page + 4096 < before.limit && page % 4096 == 0);
	assert_int_equal(mprotect(text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	modules_read(&list);
	assert_int_equal(list.modules[0].start, before.start);
	assert_int_equal(list.modules[0].limit, before.limit);
	assert_ptr_equal(
			mmap(text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), text);
	memcpy(text, copy, 4096);
	modules_read(&list);
	assert_int_equal(list.modules[0].start, before.start);
	assert_int_equal(list.modules[0].limit, before.limit);
	assert_int_equal(movable_function(2), 6);
	free(copy);
}

static void pieces_of_text_are_one_module(void **state)
{
	(void)state;
	run(split_work);
}

/* --- symbols -------------------------------------------------------------------------------------------------------- */

static void symbols_work(void *arg)
{
	(void)arg;
	struct module_list list;
	uintptr_t inside = address_of(local_function) + 2;
	uintptr_t addresses[] = {
		(uintptr_t)&gnu_get_libc_version + 4, inside, 0x10, (uintptr_t)&list, inside, (uintptr_t)&setlogmask
	};
	struct name names[6];
	modules_read(&list);
	names_find(&list, addresses, 6, false, names);
	assert_string_equal(names[0].lines[0].function, "gnu_get_libc_version");
	assert_int_equal(names[0].lines[0].function_start, (uintptr_t)&gnu_get_libc_version);
	assert_string_equal(names[1].lines[0].function, "local_function");
	assert_int_equal(names[1].lines[0].function_start, inside - 2);
	assert_int_equal(names[2].line_count, 0);
	assert_int_equal(names[3].line_count, 0);
	assert_string_equal(names[4].lines[0].function, "local_function");
	assert_string_equal(names[5].lines[0].function, "setlogmask");
	assert_false(names[5].is_final);
}

static void names_come_from_symbol_tables(void **state)
{
	(void)state;
	run(symbols_work);
	run(symbols_work); /* from the cache */
	assert_true(names_bytes() > 0);
}

static void off_work(void *arg)
{
	(void)arg;
	struct module_list list;
	uintptr_t address = (uintptr_t)&setlogmask;
	struct name name;
	modules_read(&list);
	names_find(&list, &address, 1, true, &name);
	assert_int_equal(name.line_count, 0);
}

static void no_names_where_they_are_off(void **state)
{
	(void)state;
	settings.names_off = true;
	run(off_work);
	settings.names_off = false;
}

static void image_work(void *arg)
{
	(void)arg;
	struct module_list list;
	struct elf_image image;
	struct elf_image_symbols symbols;
	modules_read(&list);
	const struct module *libc = modules_find(&list, (uintptr_t)&setlogmask);
	assert_true(elf_image_read(libc->image, &image));
	assert_true(elf_image_symbols(&image, &symbols));
	assert_true(symbols.symbol_count > 2000 && symbols.symbol_count < 10000);
	assert_false(elf_image_read((uintptr_t)&list & ~(uintptr_t)4095, &image));
	assert_false(elf_image_read(0x10, &image));
	/* The vDSO has no file; its dynamic section is not relocated. */
	uintptr_t clock = 0;
	assert_true(elf_image_read(getauxval(AT_SYSINFO_EHDR), &image));
	assert_true(elf_image_symbols(&image, &symbols));
	for (uint64_t i = 0; i < symbols.symbol_count; i++) {
		const Elf64_Sym *symbol = (const Elf64_Sym *)symbols.symbols + i;
		if (strcmp((const char *)symbols.strings + symbol->st_name, "__vdso_clock_gettime") == 0)
			clock = image.bias + symbol->st_value;
	}
	assert_true(clock != 0);
	struct name name;
	names_find(&list, &clock, 1, false, &name);
	assert_int_equal(name.line_count, 1);
	assert_non_null(strstr(name.lines[0].function, "clock_gettime"));
}

static void loaded_images_have_symbols(void **state)
{
	(void)state;
	run(image_work);
}

/* --- the cache ------------------------------------------------------------------------------------------------------ */

static void cache_work(void *arg)
{
	(void)arg;
	struct name_line lines[] = { { "inner", "inner", "a.c", 7, 5, 0x1000 },
		                         { "outer()", "_Zouter", NULL, 0, 0, 0x1000 } };
	struct name name = { lines, 2, true }, found;
	struct name_key key = { 77, 0x500 };
	assert_false(name_cache_find(key, 0x1100, &found));
	name_cache_put(key, 0x1100, &name);
	/* Loaded elsewhere now. */
	assert_true(name_cache_find(key, 0x51100, &found));
	assert_int_equal(found.line_count, 2);
	assert_true(found.is_final);
	assert_string_equal(found.lines[0].file, "a.c");
	assert_int_equal(found.lines[0].line, 7);
	assert_int_equal(found.lines[1].function_start, 0x51000);
	assert_string_equal(found.lines[1].system_name, "_Zouter");
	assert_null(found.lines[1].file);
	/* More than it holds: it starts anew, and goes on. */
	char text[64];
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "function_with_a_name_%u", i);
		struct name_line one = { text, text, NULL, i, 0, 0 };
		struct name short_name = { &one, 1, false };
		key.offset = 0x10000 + i;
		name_cache_put(key, 1, &short_name);
		if (i % 1000)
			continue;
		assert_true(name_cache_find(key, 1, &found));
		assert_string_equal(found.lines[0].function, text);
		assert_int_equal(found.lines[0].line, i);
	}
	key.offset = 0x500;
	assert_false(name_cache_find(key, 0x1100, &found));
	assert_true(name_cache_bytes() <= 4 * 1024 * 1024);
}

static void cache_is_bounded(void **state)
{
	(void)state;
	run(cache_work);
}

/* --- the helper's answer -------------------------------------------------------------------------------------------- */

static bool read_answer(const char *text, struct helper_query queries[2])
{
	char *copy = work_alloc(strlen(text) + 1);
	strcpy(copy, text);
	queries[0] = (struct helper_query){ .address = 0x1000 };
	queries[1] = (struct helper_query){ .address = 0x20ab };
	return helper_answer_read(copy, strlen(text), queries, 2);
}

static void answer_work(void *arg)
{
	(void)arg;
	struct helper_query q[2];
	assert_true(read_answer("cpprof-names 1\na 1000 0\na 20ab 2\nl 12 10 in\tin\t/s/a.c\nl 0 0 f()\t_Zf\t\nend\n", q));
	assert_int_equal(q[0].answer.line_count, 0);
	assert_int_equal(q[1].answer.line_count, 2);
	assert_string_equal(q[1].answer.lines[0].file, "/s/a.c");
	assert_int_equal(q[1].answer.lines[0].start_line, 10);
	assert_string_equal(q[1].answer.lines[1].function, "f()");
	assert_null(q[1].answer.lines[1].file);
	static const char *const bad[] = {
		"",
		"cpprof-names 2\nend\n",
		"cpprof-names 1\n",
		"cpprof-names 1\nend",
		"cpprof-names 1\nend\nmore",
		"cpprof-names 1\na 1001 0\nend\n",
		"cpprof-names 1\na 1000 1\nend\n",
		"cpprof-names 1\na 1000 99999999\nend\n",
		"cpprof-names 1\na 1000 1\nl 1 1 \t\t\nend\n",
		"cpprof-names 1\na 1000 1\nl 99999999999 1 f\t\t\nend\n",
		"cpprof-names 1\na 1000 1\nl x 1 f\t\t\nend\n",
		"cpprof-names 1\n\nend\n",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(read_answer(bad[i], q));
}

static void answers_are_checked(void **state)
{
	(void)state;
	run(answer_work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_maps_are_taken_apart),
		cmocka_unit_test(modules_are_those_of_the_process),
		cmocka_unit_test(pieces_of_text_are_one_module),
		cmocka_unit_test(names_come_from_symbol_tables),
		cmocka_unit_test(no_names_where_they_are_off),
		cmocka_unit_test(loaded_images_have_symbols),
		cmocka_unit_test(cache_is_bounded),
		cmocka_unit_test(answers_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
