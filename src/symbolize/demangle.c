/* demangle.c - C++ names by libiberty's tree: what the mode leaves out is taken from the tree before it is printed. */
#include "symbolize/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

/* libiberty reads what follows a conversion operator twice, so that time doubles with each one inside another. The names
 * of libLLVM, libclang and libstdc++ have one at the most. */
#define CONVERSIONS_MAX 12
/* libiberty prints no deeper. */
#define DEPTH_MAX 1024

typedef struct demangle_component node;

/* --- leaving out --------------------------------------------------------------------------------------------------- */

struct stripper {
	const node *nodes; /* the block which all nodes of the tree stand in */
	size_t node_count;
	unsigned char *seen; /* by index into nodes: a tree may share its branches */
	bool templates;      /* leave out template arguments too */
	bool failed;         /* nested too deep */
};

static bool first_visit(struct stripper *stripper, const node *at)
{
	if (at < stripper->nodes || at >= stripper->nodes + stripper->node_count)
		return true;
	size_t ix = (size_t)(at - stripper->nodes);
	bool first = !stripper->seen[ix];
	stripper->seen[ix] = 1;
	return first;
}

/* The subtrees of a node, 0 to 2. */
static int node_children(node *at, node **ret_children[2])
{
	switch (at->type) {
	case DEMANGLE_COMPONENT_NAME:
	case DEMANGLE_COMPONENT_TEMPLATE_PARAM:
	case DEMANGLE_COMPONENT_FUNCTION_PARAM:
	case DEMANGLE_COMPONENT_SUB_STD:
	case DEMANGLE_COMPONENT_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_EXTENDED_BUILTIN_TYPE:
	case DEMANGLE_COMPONENT_OPERATOR:
	case DEMANGLE_COMPONENT_CHARACTER:
	case DEMANGLE_COMPONENT_NUMBER:
	case DEMANGLE_COMPONENT_UNNAMED_TYPE:
		return 0;
	case DEMANGLE_COMPONENT_CTOR:
		ret_children[0] = &at->u.s_ctor.name;
		return 1;
	case DEMANGLE_COMPONENT_DTOR:
		ret_children[0] = &at->u.s_dtor.name;
		return 1;
	case DEMANGLE_COMPONENT_EXTENDED_OPERATOR:
		ret_children[0] = &at->u.s_extended_operator.name;
		return 1;
	case DEMANGLE_COMPONENT_FIXED_TYPE:
		ret_children[0] = &at->u.s_fixed.length;
		return 1;
	case DEMANGLE_COMPONENT_LAMBDA:
	case DEMANGLE_COMPONENT_DEFAULT_ARG:
		ret_children[0] = &at->u.s_unary_num.sub;
		return 1;
	default:
		ret_children[0] = &at->u.s_binary.left;
		ret_children[1] = &at->u.s_binary.right;
		return 2;
	}
}

/* The argument that a parameter of the template stands for, or NULL. */
static node *template_argument(node *template, long number)
{
	node *list = template->u.s_binary.right;
	for (; list && list->type == DEMANGLE_COMPONENT_TEMPLATE_ARGLIST; list = list->u.s_binary.right) {
		if (number-- == 0)
			return list->u.s_binary.left;
	}
	return NULL;
}

/* Puts the arguments in place of the parameters below *link, so that the template itself can go. */
static void resolve_parameters(struct stripper *stripper, node **link, node *template, int depth)
{
	node *at = *link;
	if (!at || stripper->failed)
		return;
	if (depth > DEPTH_MAX) {
		stripper->failed = true;
		return;
	}
	if (at->type == DEMANGLE_COMPONENT_TEMPLATE_PARAM) {
		node *argument = template_argument(template, at->u.s_number.number);
		if (argument && argument->type != DEMANGLE_COMPONENT_TEMPLATE_ARGLIST)
			*link = argument;
		return;
	}
	if (!first_visit(stripper, at))
		return;
	node **children[2];
	int count = node_children(at, children);
	for (int i = 0; i < count; i++)
		resolve_parameters(stripper, children[i], template, depth + 1);
}

/* "operator T" of a template: T is known from the template only. */
static void resolve_conversion(struct stripper *stripper, node *template)
{
	node *name = template->u.s_binary.left;
	while (name && (name->type == DEMANGLE_COMPONENT_QUAL_NAME || name->type == DEMANGLE_COMPONENT_TAGGED_NAME))
		name = name->type == DEMANGLE_COMPONENT_QUAL_NAME ? name->u.s_binary.right : name->u.s_binary.left;
	if (!name || name->type != DEMANGLE_COMPONENT_CONVERSION)
		return;
	unsigned char *seen = stripper->seen;
	stripper->seen = xcalloc(stripper->node_count, 1);
	resolve_parameters(stripper, &name->u.s_binary.left, template, 0);
	free(stripper->seen);
	stripper->seen = seen;
}

/* Below the qualifiers of a method ("const", "&&"). */
static node *without_this(node *at)
{
	while (at && at->type >= DEMANGLE_COMPONENT_RESTRICT_THIS && at->type <= DEMANGLE_COMPONENT_RVALUE_REFERENCE_THIS)
		at = at->u.s_binary.left;
	return at;
}

/* The function which a local name lies in keeps its brackets, but not what stands in them. */
static void empty_parameters(const node *function)
{
	if (!function || function->type != DEMANGLE_COMPONENT_TYPED_NAME)
		return;
	node *type = without_this(function->u.s_binary.right);
	if (type && type->type == DEMANGLE_COMPONENT_FUNCTION_TYPE)
		type->u.s_binary.right = NULL;
}

/* "std::basic_istream<char, std::char_traits<char> >", as the class of a constructor is spelt. */
static void shorten_standard(node *standard)
{
	const char *bracket = memchr(standard->u.s_string.string, '<', (size_t)standard->u.s_string.len);
	if (bracket)
		standard->u.s_string.len = (int)(bracket - standard->u.s_string.string);
}

/* Where a function is named as a value, "&f": its parameters go like those of the whole name. */
static bool is_expression(const node *at)
{
	return at->type == DEMANGLE_COMPONENT_UNARY || at->type == DEMANGLE_COMPONENT_BINARY_ARGS ||
	       at->type == DEMANGLE_COMPONENT_TEMPLATE_ARGLIST;
}

static void strip(struct stripper *stripper, node **link, int depth)
{
	if (!*link || stripper->failed)
		return;
	if (depth > DEPTH_MAX) {
		stripper->failed = true;
		return;
	}
	while (stripper->templates && *link && (*link)->type == DEMANGLE_COMPONENT_TEMPLATE) {
		resolve_conversion(stripper, *link);
		*link = (*link)->u.s_binary.left;
	}
	node *at = *link;
	if (!at || !first_visit(stripper, at))
		return;
	if (at->type == DEMANGLE_COMPONENT_LOCAL_NAME) {
		empty_parameters(at->u.s_binary.left);
		node *name = at->u.s_binary.right;
		if (depth == 0 && name && name->type == DEMANGLE_COMPONENT_DEFAULT_ARG)
			name->u.s_unary_num.sub = without_this(name->u.s_unary_num.sub);
	}
	if (stripper->templates && at->type == DEMANGLE_COMPONENT_SUB_STD)
		shorten_standard(at);
	node **children[2];
	int count = node_children(at, children);
	for (int i = 0; i < count; i++) {
		if (is_expression(at) && *children[i] && (*children[i])->type == DEMANGLE_COMPONENT_TYPED_NAME)
			*children[i] = (*children[i])->u.s_binary.left;
		strip(stripper, children[i], depth + 1);
	}
}

/* --- printing ------------------------------------------------------------------------------------------------------ */

struct printer {
	struct buffer *text;
	size_t ceiling;
	jmp_buf too_long;
};

/* libiberty holds nothing on the heap while it calls back, so a name too long may be left in the middle. */
static void print_part(const char *part, size_t length, void *opaque)
{
	struct printer *printer = opaque;
	if (length > printer->ceiling - printer->text->length)
		longjmp(printer->too_long, 1);
	buffer_append(printer->text, part, length);
}

static bool print(node *tree, int options, struct buffer *ret_text)
{
	size_t before = ret_text->length;
	struct printer printer = { .text = ret_text, .ceiling = before + DEMANGLE_TEXT_MAX };
	if (setjmp(printer.too_long) || !cplus_demangle_print_callback(options, tree, print_part, &printer)) {
		demangle_undo(ret_text, before);
		return false;
	}
	return true;
}

/* Puts the blank into ">>" that old C++ wants; libiberty forgets it behind an empty parameter pack. */
static void space_brackets(struct buffer *text, size_t start)
{
	struct str all = buffer_str(text);
	struct str rest = str_from(all, start);
	if (!memmem(rest.data, rest.length, ">>", 2))
		return;
	struct buffer spaced;
	buffer_init(&spaced, BUFFER_UNLIMITED);
	for (size_t i = 0; i < rest.length; i++) {
		struct str before = { rest.data, i ? i - 1 : 0 };
		bool closes = i && rest.data[i] == '>' && rest.data[i - 1] == '>' && !str_ends_with(before, STR_LITERAL(")")) &&
		              !str_ends_with(before, STR_LITERAL("operator"));
		if (closes)
			buffer_append_char(&spaced, ' ');
		buffer_append_char(&spaced, rest.data[i]);
	}
	text->length = start;
	buffer_append_str(text, buffer_str(&spaced));
	buffer_release(&spaced);
}

static bool print_stripped(const char *name, enum demangle_mode mode, int options, struct buffer *ret_text)
{
	void *block = NULL;
	node *tree = cplus_demangle_v3_components(name, options, &block);
	if (!tree)
		return false;
	while (tree->type == DEMANGLE_COMPONENT_CLONE)
		tree = tree->u.s_binary.left;
	bool good = true;
	if (mode != DEMANGLE_FULL) {
		struct stripper stripper = {
			.nodes = block,
			.node_count = 2 * strlen(name),
			.seen = xcalloc(2 * strlen(name), 1),
			.templates = mode == DEMANGLE_DEFAULT,
		};
		strip(&stripper, &tree, 0);
		free(stripper.seen);
		good = tree && !stripper.failed;
	}
	size_t start = ret_text->length;
	good = good && print(tree, options, ret_text);
	if (good && mode != DEMANGLE_DEFAULT)
		space_brackets(ret_text, start);
	free(block);
	return good;
}

/* "___Z3foo_block_invoke_2": clang's names for blocks. */
static bool print_block(const char *name, enum demangle_mode mode, int options, struct buffer *ret_text)
{
	const char *mark = NULL, *marker = "_block_invoke";
	for (const char *next = strstr(name, marker); next; next = strstr(next + 1, marker))
		mark = next;
	if (!mark || mark < name + 4)
		return false;
	const char *rest = mark + strlen(marker);
	rest += *rest == '_';
	rest += strspn(rest, "0123456789");
	if (*rest && *rest != '.')
		return false;
	char *inner = xstrndup(name + 2, (size_t)(mark - name) - 2);
	size_t before = ret_text->length;
	buffer_append_text(ret_text, "invocation function for block in ");
	bool good = print_stripped(inner, mode, options, ret_text);
	if (!good)
		demangle_undo(ret_text, before);
	free(inner);
	return good;
}

/* "cv" that begins no identifier (its length stands in front of one). */
static unsigned conversion_count(const char *name)
{
	unsigned count = 0;
	for (const char *at = strstr(name, "cv"); at; at = strstr(at + 2, "cv"))
		count += at == name || at[-1] < '0' || at[-1] > '9';
	return count;
}

bool demangle_cplusplus(const char *name, enum demangle_mode mode, struct buffer *ret_text)
{
	if (strlen(name) > DEMANGLE_NAME_MAX || conversion_count(name) > CONVERSIONS_MAX)
		return false;
	int options = DMGL_ANSI | (mode == DEMANGLE_FULL ? DMGL_PARAMS : 0);
	if (strncmp(name, "___Z", 4) == 0)
		return print_block(name, mode, options, ret_text);
	if (strncmp(name, "_Z", 2) != 0 && strncmp(name, "_GLOBAL_", 8) != 0)
		return false;
	if (print_stripped(name, mode, options, ret_text))
		return true;
	/* Only whole names are parsed with their parameters; what follows a dot or an at sign is a suffix of the linker. */
	size_t length = strcspn(name, ".@");
	if (mode != DEMANGLE_FULL || !name[length])
		return false;
	char *cut = xstrndup(name, length);
	bool good = print_stripped(cut, mode, options, ret_text);
	free(cut);
	return good;
}
