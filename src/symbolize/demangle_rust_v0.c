/* demangle_rust_v0.c - Rust names of the scheme v0: "_R" and a path (RFC 2603).
 *
 * Not libiberty's: a back-reference may be doubled by the next one, so that a name of 200 bytes stands for gigabytes, and a
 * binder may count to 2^64 without a word. Here text, depth and steps have ceilings.
 */
#include <stdio.h>
#include <string.h>

#include "symbolize/demangle.h"
#include "symbolize/punycode.h"

#define DEPTH_MAX 1024
/* Productions read for one name, back-references followed; real names stay below some thousands. */
#define STEPS_MAX (256 * 1024)

struct reader {
	const char *name; /* behind "_R": back-references count from here */
	size_t at, end;
	struct buffer *text;
	size_t ceiling;    /* of `text` */
	bool silent;       /* parse only */
	bool no_arguments; /* of generics */
	bool failed;       /* from here on nothing is read or printed */
	uint32_t depth, steps;
	int64_t lifetimes; /* bound outside of here */
};

/* --- characters and numbers ---------------------------------------------------------------------------------------------- */

static char peek(const struct reader *reader)
{
	return !reader->failed && reader->at < reader->end ? reader->name[reader->at] : '\0';
}

static bool take(struct reader *reader, char c)
{
	if (peek(reader) != c)
		return false;
	reader->at++;
	return true;
}

static char take_any(struct reader *reader)
{
	char c = peek(reader);
	if (c)
		reader->at++;
	else
		reader->failed = true;
	return c;
}

static void expect(struct reader *reader, char c)
{
	if (!take(reader, c))
		reader->failed = true;
}

/* Whether another item of a list comes, up to its E. */
static bool more_items(struct reader *reader)
{
	return peek(reader) && peek(reader) != 'E';
}

static void print_str(struct reader *reader, struct str text)
{
	if (reader->failed || reader->silent)
		return;
	if (text.length > reader->ceiling - reader->text->length)
		reader->failed = true;
	else
		buffer_append_str(reader->text, text);
}

static void print(struct reader *reader, const char *text)
{
	print_str(reader, str_of(text));
}

static void print_char(struct reader *reader, char c)
{
	print_str(reader, (struct str){ &c, 1 });
}

/* Digits 0-9, a-z, A-Z, and "_"; "_" alone is 0, "0_" is 1. A hash may take all 64 bits and more. */
static uint64_t take_base_62(struct reader *reader)
{
	if (take(reader, '_'))
		return 0;
	uint64_t value = 0;
	for (char c; (c = take_any(reader)) != '_' && !reader->failed;) {
		value *= 62;
		if (c >= '0' && c <= '9')
			value += (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'z')
			value += (uint64_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'Z')
			value += (uint64_t)(c - 'A') + 36;
		else
			reader->failed = true;
	}
	return value + 1;
}

static uint64_t take_disambiguator(struct reader *reader)
{
	return take(reader, 's') ? take_base_62(reader) + 1 : 0;
}

/* --- identifiers --------------------------------------------------------------------------------------------------------- */

/* Takes number ["_"] bytes. As in the reference, a number may be missing or begin with zeros, so that of the two closures in
 * "f00" the second takes its number from what follows. */
static struct str take_bytes(struct reader *reader)
{
	size_t length = 0;
	if (!peek(reader))
		reader->failed = true;
	while (peek(reader) >= '0' && peek(reader) <= '9') {
		length = length * 10 + (size_t)(take_any(reader) - '0');
		if (length > reader->end)
			reader->failed = true;
	}
	(void)take(reader, '_');
	if (reader->failed || length > reader->end - reader->at) {
		reader->failed = true;
		return (struct str){ "", 0 };
	}
	struct str bytes = { reader->name + reader->at, length };
	reader->at += length;
	return bytes;
}

/* Takes ["u"] number ["_"] bytes, and prints `before` and the identifier; with `optional`, neither if it is empty. */
static void identifier(struct reader *reader, const char *before, bool optional)
{
	bool is_punycode = take(reader, 'u');
	struct str bytes = take_bytes(reader);
	if (reader->failed || (optional && !bytes.length))
		return;
	print(reader, before);
	if (!is_punycode) {
		print_str(reader, bytes);
		return;
	}
	struct buffer decoded;
	buffer_init(&decoded, BUFFER_UNLIMITED);
	if (punycode_decode(bytes, &decoded))
		print_str(reader, buffer_str(&decoded));
	else
		reader->failed = true;
	buffer_release(&decoded);
}

/* --- productions --------------------------------------------------------------------------------------------------------- */

static void path(struct reader *reader, bool in_value);
static void type(struct reader *reader);
static void constant(struct reader *reader);

static bool enter(struct reader *reader)
{
	if (reader->failed || reader->depth >= DEPTH_MAX || reader->steps >= STEPS_MAX) {
		reader->failed = true;
		return false;
	}
	reader->depth++;
	reader->steps++;
	return true;
}

/* Where a back-reference had been read: its target must end before it starts. */
struct return_point {
	size_t at, end;
};

/* Takes the number behind "B" and goes there; false where nothing is printed, and so nothing need be read again. */
static bool follow(struct reader *reader, struct return_point *ret_point)
{
	size_t mark = reader->at - 1;
	uint64_t target = take_base_62(reader);
	if (reader->failed || reader->silent)
		return false;
	if (target >= mark) {
		reader->failed = true;
		return false;
	}
	*ret_point = (struct return_point){ reader->at, reader->end };
	reader->at = target;
	reader->end = mark;
	return true;
}

static void come_back(struct reader *reader, struct return_point point)
{
	reader->at = point.at;
	reader->end = point.end;
}

static void lifetime(struct reader *reader, uint64_t number)
{
	print(reader, "'");
	if (number == 0) {
		print(reader, "_");
		return;
	}
	if (number > (uint64_t)reader->lifetimes) {
		reader->failed = true;
		return;
	}
	uint64_t depth = (uint64_t)reader->lifetimes - number;
	char text[32];
	if (depth < 26)
		snprintf(text, sizeof(text), "%c", (char)('a' + (char)depth));
	else
		snprintf(text, sizeof(text), "z%lu", depth - 25);
	print(reader, text);
}

/* "for<'a, 'b> ". Each of them is used later on, so there are not more than what the rest has room for. */
static void binder(struct reader *reader)
{
	if (!take(reader, 'G'))
		return;
	uint64_t count = take_base_62(reader) + 1;
	size_t rest = reader->end - reader->at;
	if (reader->failed || count >= rest || reader->lifetimes + (int64_t)count >= (int64_t)rest) {
		reader->failed = true;
		return;
	}
	print(reader, "for<");
	for (uint64_t i = 0; i < count; i++) {
		reader->lifetimes++;
		print(reader, i ? ", " : "");
		lifetime(reader, 1);
	}
	print(reader, "> ");
}

static void generic_arguments(struct reader *reader)
{
	bool was_silent = reader->silent;
	reader->silent |= reader->no_arguments;
	for (bool first = true; more_items(reader); first = false) {
		print(reader, first ? "" : ", ");
		if (take(reader, 'L'))
			lifetime(reader, take_base_62(reader));
		else if (take(reader, 'K'))
			constant(reader);
		else
			type(reader);
	}
	reader->silent = was_silent;
	expect(reader, 'E');
}

static void nested_path(struct reader *reader, bool in_value)
{
	char space = take_any(reader);
	path(reader, in_value);
	uint64_t number = take_disambiguator(reader);
	if (space >= 'a' && space <= 'z') {
		identifier(reader, "::", false);
		return;
	}
	if (space < 'A' || space > 'Z') {
		reader->failed = true;
		return;
	}
	print(reader, "::{");
	if (space == 'C' || space == 'S')
		print(reader, space == 'C' ? "closure" : "shim");
	else
		print_char(reader, space);
	identifier(reader, ":", true);
	char text[32];
	snprintf(text, sizeof(text), "#%ld}", (int64_t)number);
	print(reader, text);
}

/* "<T>", "<T as Trait>". An `impl` has a path of its own, which is not printed. */
static void qualified_type(struct reader *reader, char tag)
{
	if (tag != 'Y') {
		bool was_silent = reader->silent;
		reader->silent = true;
		(void)take_disambiguator(reader);
		path(reader, false);
		reader->silent = was_silent;
	}
	print(reader, "<");
	type(reader);
	if (tag != 'M') {
		print(reader, " as ");
		path(reader, false);
	}
	print(reader, ">");
}

/* `in_value`: generic arguments are set off by "::". */
static void path(struct reader *reader, bool in_value)
{
	if (!enter(reader))
		return;
	struct return_point point;
	char tag = take_any(reader);
	switch (tag) {
	case 'C':
		(void)take_disambiguator(reader);
		identifier(reader, "", false);
		break;
	case 'M':
	case 'X':
	case 'Y':
		qualified_type(reader, tag);
		break;
	case 'N':
		nested_path(reader, in_value);
		break;
	case 'I':
		path(reader, in_value);
		print(reader, in_value ? "::<" : "<");
		generic_arguments(reader);
		print(reader, ">");
		break;
	case 'B':
		if (follow(reader, &point)) {
			path(reader, in_value);
			come_back(reader, point);
		}
		break;
	default:
		reader->failed = true;
		break;
	}
	reader->depth--;
}

/* A path whose generic arguments stay open for the bindings of a trait object; returns whether they are. */
static bool open_path(struct reader *reader)
{
	if (!enter(reader))
		return false;
	bool is_open = false;
	struct return_point point;
	if (take(reader, 'I')) {
		path(reader, false);
		print(reader, "<");
		generic_arguments(reader);
		is_open = true;
	} else if (take(reader, 'B')) {
		if (follow(reader, &point)) {
			is_open = open_path(reader);
			come_back(reader, point);
		}
	} else {
		path(reader, false);
	}
	reader->depth--;
	return is_open;
}

/* "dyn Trait<T, Item = U> + Send + 'a" */
static void trait_object(struct reader *reader)
{
	int64_t outside = reader->lifetimes;
	print(reader, "dyn ");
	binder(reader);
	for (bool first = true; more_items(reader); first = false) {
		print(reader, first ? "" : " + ");
		bool is_open = open_path(reader);
		for (; take(reader, 'p'); is_open = true) {
			print(reader, is_open ? ", " : "<");
			identifier(reader, "", false);
			print(reader, " = ");
			type(reader);
		}
		print(reader, is_open ? ">" : "");
	}
	expect(reader, 'E');
	reader->lifetimes = outside;
	expect(reader, 'L');
	uint64_t number = take_base_62(reader);
	if (number) {
		print(reader, str_ends_with(buffer_str(reader->text), STR_LITERAL(" ")) ? "+ " : " + ");
		lifetime(reader, number);
	}
}

/* "extern "C" ", with the dashes that names cannot have. */
static void calling_convention(struct reader *reader)
{
	struct str name = STR_LITERAL("C");
	if (!take(reader, 'C'))
		name = take_bytes(reader);
	print(reader, "extern \"");
	for (size_t i = 0; i < name.length; i++)
		print_char(reader, name.data[i] == '_' ? '-' : name.data[i]);
	print(reader, "\" ");
}

static void types_up_to_end(struct reader *reader, bool is_tuple)
{
	size_t count = 0;
	for (; more_items(reader); count++) {
		print(reader, count ? ", " : "");
		type(reader);
	}
	expect(reader, 'E');
	print(reader, is_tuple && count == 1 ? ",)" : ")");
}

static void function_type(struct reader *reader)
{
	int64_t outside = reader->lifetimes;
	binder(reader);
	if (take(reader, 'U'))
		print(reader, "unsafe ");
	if (take(reader, 'K'))
		calling_convention(reader);
	print(reader, "fn(");
	types_up_to_end(reader, false);
	if (!take(reader, 'u')) {
		print(reader, " -> ");
		type(reader);
	}
	reader->lifetimes = outside;
}

static void reference(struct reader *reader, bool is_mutable)
{
	uint64_t number = take(reader, 'L') ? take_base_62(reader) : 0;
	print(reader, "&");
	if (number) {
		lifetime(reader, number);
		print(reader, " ");
	}
	print(reader, is_mutable ? "mut " : "");
	type(reader);
}

static void array(struct reader *reader, bool has_length)
{
	print(reader, "[");
	type(reader);
	if (has_length) {
		print(reader, "; ");
		constant(reader);
	}
	print(reader, "]");
}

static const char *basic_type(char tag)
{
	static const char *const names[] = { "i8",    "bool", "char", "f64", "str",  "f32",  NULL,  "u8", "isize",
		                                 "usize", NULL,   "i32",  "u32", "i128", "u128", "_",   NULL, NULL,
		                                 "i16",   "u16",  "()",   "...", NULL,   "i64",  "u64", "!" };
	return tag >= 'a' && tag <= 'z' ? names[tag - 'a'] : NULL;
}

static void compound_type(struct reader *reader)
{
	struct return_point point;
	char tag = take_any(reader);
	switch (tag) {
	case 'A':
	case 'S':
		array(reader, tag == 'A');
		break;
	case 'T':
		print(reader, "(");
		types_up_to_end(reader, true);
		break;
	case 'R':
	case 'Q':
		reference(reader, tag == 'Q');
		break;
	case 'P':
	case 'O':
		print(reader, tag == 'P' ? "*const " : "*mut ");
		type(reader);
		break;
	case 'F':
		function_type(reader);
		break;
	case 'D':
		trait_object(reader);
		break;
	case 'B':
		if (follow(reader, &point)) {
			type(reader);
			come_back(reader, point);
		}
		break;
	default:
		reader->at--;
		path(reader, false);
		break;
	}
}

static void type(struct reader *reader)
{
	if (!enter(reader))
		return;
	const char *name = basic_type(peek(reader));
	if (name) {
		(void)take_any(reader);
		print(reader, name);
	} else {
		compound_type(reader);
	}
	reader->depth--;
}

/* --- constants ----------------------------------------------------------------------------------------------------------- */

/* Hexadecimal digits without leading zeros, and "_", which may be missing at the end of the name. */
static struct str take_hex(struct reader *reader)
{
	size_t start = reader->at;
	while ((peek(reader) >= '0' && peek(reader) <= '9') || (peek(reader) >= 'a' && peek(reader) <= 'f'))
		reader->at++;
	struct str digits = { reader->name + start, reader->at - start };
	if (reader->at < reader->end)
		expect(reader, '_');
	if (digits.length == 0 || (digits.length > 1 && digits.data[0] == '0'))
		reader->failed = true;
	return digits;
}

static uint64_t hex_value(struct str digits)
{
	uint64_t value = 0;
	for (size_t i = 0; i < digits.length; i++)
		value = value << 4 | (uint64_t)(digits.data[i] <= '9' ? digits.data[i] - '0' : digits.data[i] - 'a' + 10);
	return value;
}

static void integer(struct reader *reader, struct str digits)
{
	char text[32];
	if (digits.length > 16) {
		print(reader, "0x");
		print_str(reader, digits);
		return;
	}
	snprintf(text, sizeof(text), "%lu", hex_value(digits));
	print(reader, text);
}

static void character(struct reader *reader, struct str digits)
{
	uint64_t c = hex_value(digits);
	static const char escapes[10] = { '\t', 't', '\r', 'r', '\n', 'n', '\\', '\\', '\'', '\'' };
	const char *escaped = c && c < 0x80 ? memchr(escapes, (int)c, sizeof(escapes)) : NULL;
	char text[32];
	if (digits.length > 6)
		reader->failed = true;
	if (escaped)
		snprintf(text, sizeof(text), "'\\%c'", escaped[1]);
	else if (c >= ' ' && c <= '~')
		snprintf(text, sizeof(text), "'%c'", (char)c);
	else
		snprintf(text, sizeof(text), "'\\u{%lx}'", c);
	print(reader, text);
}

static void constant_of_type(struct reader *reader, char tag)
{
	if (!tag || !strchr("aslxnihtmyojbc", tag)) {
		reader->failed = true;
		return;
	}
	if (strchr("aslxni", tag) && take(reader, 'n'))
		print(reader, "-");
	struct str digits = take_hex(reader);
	if (reader->failed)
		return;
	if (tag == 'c') {
		character(reader, digits);
	} else if (tag != 'b') {
		integer(reader, digits);
	} else if (digits.length == 1 && digits.data[0] <= '1') {
		print(reader, digits.data[0] == '1' ? "true" : "false");
	} else {
		reader->failed = true;
	}
}

static void constant(struct reader *reader)
{
	if (!enter(reader))
		return;
	struct return_point point;
	char tag = take_any(reader);
	if (tag == 'p') {
		print(reader, "_");
	} else if (tag != 'B') {
		constant_of_type(reader, tag);
	} else if (follow(reader, &point)) {
		constant(reader);
		come_back(reader, point);
	}
	reader->depth--;
}

/* --- names --------------------------------------------------------------------------------------------------------------- */

static bool is_alphanumeric(struct str text)
{
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];
		if (c != '_' && !(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

bool demangle_rust_v0(const char *name, enum demangle_mode mode, struct buffer *ret_text)
{
	/* A suffix of the linker is left out. */
	struct str mangled = { name + 2, strcspn(name + 2, ".") };
	if (strncmp(name, "_R", 2) != 0 || mangled.length > DEMANGLE_NAME_MAX || !is_alphanumeric(mangled))
		return false;
	size_t before = ret_text->length;
	struct reader reader = {
		.name = mangled.data,
		.end = mangled.length,
		.text = ret_text,
		.ceiling = before + DEMANGLE_TEXT_MAX,
		.no_arguments = mode == DEMANGLE_DEFAULT,
	};
	path(&reader, true);
	if (!reader.failed && reader.at < reader.end) {
		/* The crate that the generics were made for. */
		reader.silent = true;
		path(&reader, false);
	}
	if (reader.failed || reader.at < reader.end) {
		demangle_undo(ret_text, before);
		return false;
	}
	return true;
}
