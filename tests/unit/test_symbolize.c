/* test_symbolize.c - names: demangling in each mode, shortening, "-symbolize", symbolz; and finding binaries. What demangling
 * should give was taken from the reference. Lines and inlined calls of real binaries: tests/symbolize/run.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolize/elf_file.h"
#include "symbolize/mapping_locations.h"
#include "symbolize/symbol_table.h"
#include "symbolize/symbolize.h"

static void check_demangled(const char *name, enum demangle_mode mode, const char *expected)
{
	struct buffer text;
	buffer_init(&text, BUFFER_UNLIMITED);
	buffer_append_text(&text, "|");
	bool known = symbolize_demangle(name, mode, &text);
	if (known != (expected != NULL) || strcmp(buffer_text(&text) + 1, known ? expected : "") != 0)
		fail_msg("%s in mode %d gives %s%s", name, (int)mode, buffer_text(&text) + 1, known ? "" : " (unknown)");
	buffer_release(&text);
}

static void cplusplus_in_each_mode(void **state)
{
	(void)state;
	static const struct {
		const char *name, *plain, *templates, *full;
	} cases[] = {
		{ "_Z3fooi", "foo", "foo", "foo(int)" },
		{ "_ZNK3app3BoxIiE4spinEi", "app::Box::spin", "app::Box<int>::spin", "app::Box<int>::spin(int) const" },
		{ "_ZN3app12_GLOBAL__N_16hiddenEi", "app::(anonymous namespace)::hidden", "app::(anonymous namespace)::hidden",
		  "app::(anonymous namespace)::hidden(int)" },
		{ "_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc", "std::operator<<",
		  "std::operator<< <std::char_traits<char> >",
		  "std::basic_ostream<char, std::char_traits<char> >& std::operator<< <std::char_traits<char> "
		  ">(std::basic_ostream<char, "
		  "std::char_traits<char> >&, char const*)" },
		{ "_ZZ1fiENKUlvE_clEv", "f()::{lambda()#1}::operator()", "f()::{lambda()#1}::operator()",
		  "f(int)::{lambda()#1}::operator()() const" },
		{ "_ZNSdC1Ev", "std::basic_iostream::basic_iostream",
		  "std::basic_iostream<char, std::char_traits<char> >::basic_iostream",
		  "std::basic_iostream<char, std::char_traits<char> >::basic_iostream()" },
		{ "_ZN3FoocvT_I3BarIiEEEv", "Foo::operator Bar", "Foo::operator Bar<int><Bar<int> >", NULL },
		{ "_ZTV3FooIiE", "vtable for Foo", "vtable for Foo<int>", "vtable for Foo<int>" },
		{ "_ZThn8_N3FooIiE3barEv", "non-virtual thunk to Foo::bar()", "non-virtual thunk to Foo<int>::bar()",
		  "non-virtual thunk to Foo<int>::bar()" },
		{ "_Z3foov.constprop.0", "foo", "foo", "foo()" },
		{ "_ZTI1AI1BI1CJEEJEE", "typeinfo for A", "typeinfo for A<B<C> >", "typeinfo for A<B<C> >" },
		{ "_ZNSt6vectorIS_IiSaIiEESaIS1_EE9push_backERKS1_", "std::vector::push_back",
		  "std::vector<std::vector<int, std::allocator<int> >, std::allocator<std::vector<int, std::allocator<int> > > "
		  ">::push_back",
		  "std::vector<std::vector<int, std::allocator<int> >, std::allocator<std::vector<int, std::allocator<int> > > "
		  ">"
		  "::push_back(std::vector<int, std::allocator<int> > const&)" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_demangled(cases[i].name, DEMANGLE_DEFAULT, cases[i].plain);
		check_demangled(cases[i].name, DEMANGLE_TEMPLATES, cases[i].templates);
		if (cases[i].full)
			check_demangled(cases[i].name, DEMANGLE_FULL, cases[i].full);
		check_demangled(cases[i].name, DEMANGLE_NONE, NULL);
	}
}

static void rust(void **state)
{
	(void)state;
	check_demangled("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", DEMANGLE_DEFAULT,
	                "core::fmt::Write::write_fmt");
	check_demangled("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE.llvm.123", DEMANGLE_FULL,
	                "core::fmt::Write::write_fmt");
	check_demangled("_ZN45_$LT$std..path..Path$u20$as$u20$core..Foo$GT$3bar17h0123456789abcdefE", DEMANGLE_DEFAULT,
	                "<std::path::Path as core::Foo>::bar");
	check_demangled("_ZN3foo17h0000000000000000E", DEMANGLE_DEFAULT, "foo::h0000000000000000");
	check_demangled("_RNvNtCs1234_7mycrate3foo3bar", DEMANGLE_DEFAULT, "mycrate::foo::bar");
	check_demangled("_RINvCs1234_7mycrate3barjE", DEMANGLE_DEFAULT, "mycrate::bar::<>");
	check_demangled("_RINvCs1234_7mycrate3barjE", DEMANGLE_TEMPLATES, "mycrate::bar::<usize>");
}

static void rust_types_and_constants(void **state)
{
	(void)state;
	static const struct {
		const char *name, *plain, *full;
	} cases[] = {
		{ "_RNCNvC1a1b0", "a::b::{closure#0}", NULL },
		{ "_RNSNvC1a1bs_4vtbl.llvm.12", "a::b::{shim:vtbl#1}", NULL },
		{ "_RNvMs0_NtC1a1bNtB5_1T1f", "<a::b::T>::f", NULL },
		{ "_RNvXs_C1aINtB4_3VecmENtC4core5Clone5clone", "<a::Vec<> as core::Clone>::clone",
		  "<a::Vec<u32> as core::Clone>::clone" },
		{ "_RNvC1au8gdel_5qa",
		  "a::g\xc3\xb6"
		  "del",
		  NULL },
		{ "_RINvC1a1bTmEE", "a::b::<>", "a::b::<(u32,)>" },
		{ "_RINvC1a1bTmB8_ERL_eQOjE", "a::b::<>", NULL },
		{ "_RINvC1a1bRL_eQOjPShAhj10_E", "a::b::<>", "a::b::<&str, &mut *mut usize, *const [u8], [u8; 16]>" },
		{ "_RINvC1a1bFG_UKCRL0_mEuFK6foo_xxEtE", "a::b::<>",
		  "a::b::<for<'a> unsafe extern \"C\" fn(&'a u32), extern \"foo-xx\" fn() -> u16>" },
		{ "_RINvC1a1bDINtC1c1TmEp4ItemhNtC1d1UEL_E", "a::b::<>", "a::b::<dyn c::T<u32, Item = u8> + d::U>" },
		{ "_RINvC1a1bKb1_Kc27_Kcf1_Ki_E", NULL, NULL },
		{ "_RINvC1a1bKb1_Kc27_Kcf1_Kin2a_KpE", "a::b::<>", "a::b::<true, '\\'', '\\u{f1}', -42, _>" },
		{ "_RINvC1a1bTjEB7_E", "a::b::<>", "a::b::<(usize,), (usize,)>" },
		{ "_RINvC1a1bB7_E", "a::b::<>", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_demangled(cases[i].name, DEMANGLE_DEFAULT, cases[i].plain);
		if (cases[i].full)
			check_demangled(cases[i].name, DEMANGLE_FULL, cases[i].full);
	}
}

static void what_is_no_mangled_name(void **state)
{
	(void)state;
	static const char names[][16] = { "",       "_",      "main",     "_Z",   "_ZN",    "_R",        "_D",     "_Dfoo",
		                              "_ZN3fo", "Z3foov", "_GLOBAL_", "___Z", "_ZN17h", "_ZZZZZZZZ", "_start", "_RN" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		check_demangled(names[i], DEMANGLE_DEFAULT, NULL);
		check_demangled(names[i], DEMANGLE_FULL, NULL);
	}
}

/* Names that cost a careless demangler its stack, its memory or the day. */
static void hostile_names(void **state)
{
	(void)state;
	const char *const parts[] = { "P", "1aI", "N1a", "St4pairIS_", "ZZ", "1a", "ad", "DpT_", "L_Z" };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (size_t count = 100; count <= 100000; count *= 10) {
			struct buffer name, text;
			buffer_init(&name, BUFFER_UNLIMITED);
			buffer_init(&text, BUFFER_UNLIMITED);
			buffer_append_text(&name, "_Z1f");
			for (size_t k = 0; k < count; k++)
				buffer_append_text(&name, parts[i]);
			buffer_append_text(&name, "i");
			(void)symbolize_demangle(buffer_text(&name), DEMANGLE_DEFAULT, &text);
			(void)symbolize_demangle(buffer_text(&name), DEMANGLE_FULL, &text);
			buffer_release(&name);
			buffer_release(&text);
		}
	}
}

/* "B" and a number in base 62, as Rust refers back to an earlier part. */
static void append_reference(struct buffer *name, size_t target)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	buffer_append_char(name, 'B');
	if (target > 62)
		buffer_append_char(name, digits[(target - 1) / 62]);
	buffer_append_char(name, digits[(target - 1) % 62]);
	buffer_append_char(name, '_');
}

static void rust_names_that_expand(void **state)
{
	(void)state;
	struct buffer name;
	buffer_init(&name, BUFFER_UNLIMITED);
	buffer_append_text(&name, "_RINvC1a1b");
	size_t last = name.length - 2;
	buffer_append_text(&name, "TmmE");
	for (int i = 0; i < 40; i++) {
		size_t here = name.length - 2;
		buffer_append_char(&name, 'T');
		append_reference(&name, last);
		append_reference(&name, last);
		buffer_append_char(&name, 'E');
		last = here;
	}
	buffer_append_char(&name, 'E');
	check_demangled(buffer_text(&name), DEMANGLE_FULL, NULL);
	check_demangled(buffer_text(&name), DEMANGLE_DEFAULT, "a::b::<>");
	buffer_release(&name);
	/* Billions of lifetimes, and those of a part that is not printed. */
	check_demangled("_RINvC1a1bFGzzzzzz_EuE", DEMANGLE_FULL, NULL);
	check_demangled("_RNvMIC1aFGzzzzzz_EuEu1b", DEMANGLE_FULL, NULL);
}

/* --- the functions of a profile -------------------------------------------------------------------------------------- */

static void check_name(const char *name, const char *system_name, const char *words, const char *expected)
{
	struct symbolize_options options = { 0 };
	bool remote;
	symbolize_options_parse(words, &options, &remote);
	struct profile profile;
	profile_init(&profile);
	uint32_t ix = profile_intern_text(&profile, name), system_ix = profile_intern_text(&profile, system_name);
	struct function *function = profile_add_function(&profile);
	function->name = ix;
	function->system_name = system_ix;
	symbolize_demangle_profile(&profile, &options);
	assert_string_equal(profile_str(&profile, profile.functions[0].name).data, expected);
	profile_release(&profile);
}

static void names_that_look_like_cplusplus(void **state)
{
	(void)state;
	static const char *const cases[][3] = {
		/* name, default, templates */
		{ "foo(int)", "foo(int)", "foo(int)" },
		{ "a::foo(int)", "a::foo", "a::foo" },
		{ "a<b(c)>::foo(int(*)(x)) const", "a::foo const", "a<b>::foo const" },
		{ "main.(*T).Method", "main.(*T).Method", "main.(*T).Method" },
		{ "main.F[...]", "main.F[...]", "main.F[...]" },
		{ "main.(*T[...]).Method", "main.(*T[...]).Method", "main.(*T[...]).Method" },
		{ "Class.<init>", "Class.<init>", "Class.<init>" },
		{ "(anonymous namespace)::f", "::f", "::f" },
		{ "a::b)c(d)", "a::b)c(d)", "a::b)c(d)" },
		{ "a(x)::b)c(d)", "a::b)c(d)", "a::b)c(d)" },
		{ "a(x)::b(c", "a::b(c", "a::b(c" },
		{ "operator<", "operator<", "operator<" },
		{ "<>", "", "<>" },
		{ "", "", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_name(cases[i][0], cases[i][0], "", cases[i][1]);
		check_name(cases[i][0], cases[i][0], "demangle=templates", cases[i][2]);
		check_name(cases[i][0], cases[i][0], "demangle=full", cases[i][0]);
	}
}

static void names_and_force(void **state)
{
	(void)state;
	check_name("nice", "_Z3fooi", "", "nice");
	check_name("nice", "_Z3fooi", "local:force", "foo");
	check_name("nice", "_Z3fooi", "Demangle=FULL", "foo(int)");
	check_name("nice", "_Z3fooi", "demangle=none", "_Z3fooi");
	check_name("nice", "", "demangle=full", "nice");
	check_name("", "_Z3fooi", "", "foo");
	check_name("__Z3fooi", "__Z3fooi", "", "foo");
	check_name("_foo", "_foo", "", "_foo");
}

/* --- options --------------------------------------------------------------------------------------------------------- */

static char told[1000];

static void remember(void *arg, const char *line)
{
	(void)arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", line);
}

static struct symbolize_options parsed(const char *words, bool *ret_remote)
{
	struct symbolize_options options = { .notice = remember };
	told[0] = '\0';
	symbolize_options_parse(words, &options, ret_remote);
	return options;
}

static void words_of_symbolize(void **state)
{
	(void)state;
	bool remote;
	struct symbolize_options options = parsed("", &remote);
	assert_true(options.local && remote && !options.force && !options.none && !options.fast_local);
	options = parsed("Local:FORCE", &remote);
	assert_true(options.local && !remote && options.force);
	options = parsed("fastlocal", &remote);
	assert_true(options.local && options.fast_local && !remote);
	options = parsed("remote::demangle=templates", &remote);
	assert_true(!options.local && remote && options.force && options.demangle == DEMANGLE_TEMPLATES);
	assert_true(parsed("local:no", &remote).none);
	assert_true(parsed("demangle=default", &remote).demangle == DEMANGLE_DEFAULT);
	assert_string_equal(told, "");
	options = parsed("bogus:Local", &remote);
	assert_true(options.local && !remote);
	assert_string_equal(
			told,
			"ignoring unrecognized symbolization option: bogus:Local\n"
			"expecting -symbolize=[local|fastlocal|remote|none][:force][:demangle=[none|full|templates|default]\n");
}

/* --- mappings -------------------------------------------------------------------------------------------------------- */

/* Two locations, the second in the mapping `file` from 0x1000 to 0x2000. */
static void make_profile(struct profile *profile, const char *file)
{
	profile_init(profile);
	uint32_t file_ix = profile_intern_text(profile, file);
	struct mapping *mapping = profile_add_mapping(profile);
	mapping->id = 1;
	mapping->start = 0x1000;
	mapping->limit = 0x2000;
	mapping->file = file_ix;
	for (uint64_t i = 1; i <= 2; i++) {
		struct location *location = profile_add_location(profile);
		location->id = i;
		location->address = 0x1000 + 16 * i;
		location->mapping_ix = 0;
	}
}

static void check_told(const char *file, const char *expected)
{
	struct profile profile;
	struct symbolize_options options = { .local = true, .notice = remember };
	make_profile(&profile, file);
	told[0] = '\0';
	symbolize_local(&profile, &options);
	assert_string_equal(told, expected);
	assert_int_equal(profile.locations[0].line_count, 0);
	profile_release(&profile);
}

#define ADVICE \
	"Some binary filenames not available. Symbolization may be incomplete.\n" \
	"Try setting PPROF_BINARY_PATH to the search path for local binaries.\n"

static void what_cannot_be_symbolized(void **state)
{
	(void)state;
	check_told("", "Main binary filename not available.\n");
	check_told("/nonexistent/server",
	           "Local symbolization failed for server: stat /nonexistent/server: no such file or directory\n" ADVICE);
	check_told("/dev/null",
	           "Local symbolization failed for null: error reading magic number from /dev/null: EOF\n" ADVICE);
	check_told("/",
	           "Local symbolization failed for /: error reading magic number from /: read /: is a directory\n" ADVICE);
	check_told(CPPROF_SOURCE_DIR "/LICENSE",
	           "Local symbolization failed for LICENSE: unrecognized binary format: " CPPROF_SOURCE_DIR
	           "/LICENSE\n" ADVICE);
	check_told("[vdso]", "");
	check_told("/x/linux-vdso.so.1", "");
	check_told("//anon", "");
	check_told("/memfd:x", "");
	check_told("http://localhost/x", "");
}

static void this_binary(void **state)
{
	(void)state;
	struct profile profile;
	struct symbolize_options options = { .local = true, .notice = remember };
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(length > 0);
	path[length] = '\0';
	make_profile(&profile, path);
	told[0] = '\0';
	symbolize_local(&profile, &options);
	assert_string_equal(told, "");
	profile.mappings[0].build_id = profile_intern_text(&profile, "00112233445566778899aabbccddeeff00112233");
	symbolize_local(&profile, &options);
	assert_true(symbolize_is_object_file(path));
	assert_false(symbolize_is_object_file(CPPROF_SOURCE_DIR "/LICENSE"));
	assert_false(symbolize_is_object_file("/nonexistent"));
	assert_false(symbolize_is_object_file("/"));
	profile_release(&profile);
}

/* Three names for one function of this binary, as a C library has many. */
int __many_named(void);
int many_named(void) __attribute__((alias("__many_named")));
int _many_named(void) __attribute__((alias("__many_named")));
static int local_named(void) __attribute__((alias("__many_named"), used));

int __many_named(void)
{
	return getpid();
}

static void check_symbol(Elf *elf, enum symbol_choice choice, uint64_t address, const char *expected)
{
	struct symbol_table symbols;
	symbol_table_read(&symbols, elf, choice);
	const struct symbol *symbol = symbol_table_find(&symbols, address, false);
	assert_non_null(symbol);
	assert_true(str_equal(symbol->name, str_of(expected)));
	symbol_table_release(&symbols);
}

static void names_for_one_address(void **state)
{
	(void)state;
	struct elf_file *file;
	struct symbol_table symbols;
	uint64_t address = 0;
	assert_int_equal(elf_file_open("/proc/self/exe", NULL, &file, NULL), STATUS_OK);
	symbol_table_read(&symbols, file->elf, SYMBOLS_OF_DEBUG_FILE);
	assert_true(symbols.is_complete);
	for (size_t i = 0; i < symbols.count; i++) {
		if (str_equal(symbols.items[i].name, STR_LITERAL("many_named")))
			address = symbols.items[i].address;
		assert_false(str_equal(symbols.items[i].name, STR_LITERAL("_many_named")));
		assert_false(str_equal(symbols.items[i].name, STR_LITERAL("local_named")));
	}
	assert_int_not_equal(address, 0);
	symbol_table_release(&symbols);
	check_symbol(file->elf, SYMBOLS_OF_DEBUG_FILE, address, "many_named");
	check_symbol(file->elf, SYMBOLS_GLOBAL, address, "many_named");
	elf_file_close(file);
}

static void binaries_given_by_name(void **state)
{
	(void)state;
	struct profile profile;
	struct symbolize_options options = { .notice = remember };
	make_profile(&profile, "/opt/server");
	symbolize_locate_binaries(&profile, "./other", "abcd", &options);
	assert_string_equal(profile_str(&profile, profile.mappings[0].file).data, "./other");
	assert_string_equal(profile_str(&profile, profile.mappings[0].build_id).data, "abcd");
	symbolize_locate_binaries(&profile, NULL, "ef", &options);
	assert_string_equal(profile_str(&profile, profile.mappings[0].build_id).data, "abcd");
	profile_release(&profile);

	profile_init(&profile);
	profile_add_location(&profile);
	symbolize_locate_binaries(&profile, NULL, NULL, &options);
	assert_int_equal(profile.mapping_count, 1);
	assert_int_equal(profile.mappings[0].id, 1);
	assert_int_equal(profile.locations[0].mapping_ix, 0);
	profile_release(&profile);
}

/* --- symbolz --------------------------------------------------------------------------------------------------------- */

static void symbolz_question_and_answer(void **state)
{
	(void)state;
	struct profile profile;
	struct buffer body;
	buffer_init(&body, BUFFER_UNLIMITED);
	make_profile(&profile, "http://localhost/debug/pprof/heap");
	struct mapping_locations groups;
	size_t count;
	profile_add_mapping(&profile);
	mapping_locations_init(&groups, &profile);
	const uint32_t *locations = mapping_locations_of(&groups, 1, &count);
	assert_int_equal(count, 0);
	assert_false(symbolz_request(&profile, locations, count, 0, &body));
	locations = mapping_locations_of(&groups, 0, &count);
	assert_int_equal(count, 2);
	assert_true(symbolz_request(&profile, locations, count, 0x1000, &body));
	assert_string_equal(buffer_text(&body), "0x10+0x20");
	symbolz_apply(&profile, locations, count, 0x1000,
	              str_of("num_symbols: 1\n0x10 main.work\nsome 0x20\t a::b(int) \n0x 1\n0xzz y\n0x12345678901234567 "
	                     "z\n0x10 cut"));
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(profile.locations[i].line_count, 1);
		const struct line *line = profile_lines(&profile, &profile.locations[i]);
		const struct function *function = &profile.functions[line->function_ix];
		assert_string_equal(profile_str(&profile, function->name).data, i ? "a::b(int) " : "main.work");
		assert_int_equal(function->name, function->system_name);
		assert_int_equal(function->id, i + 1);
	}
	assert_int_equal(profile.function_count, 2);
	buffer_clear(&body);
	assert_false(symbolz_request(&profile, locations, count, 0, &body));
	mapping_locations_release(&groups);
	buffer_release(&body);
	profile_release(&profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cplusplus_in_each_mode),
		cmocka_unit_test(rust),
		cmocka_unit_test(what_is_no_mangled_name),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(rust_types_and_constants),
		cmocka_unit_test(rust_names_that_expand),
		cmocka_unit_test(names_that_look_like_cplusplus),
		cmocka_unit_test(names_and_force),
		cmocka_unit_test(words_of_symbolize),
		cmocka_unit_test(what_cannot_be_symbolized),
		cmocka_unit_test(this_binary),
		cmocka_unit_test(names_for_one_address),
		cmocka_unit_test(binaries_given_by_name),
		cmocka_unit_test(symbolz_question_and_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
