/* regexp.c - compiling a pattern and searching for it. A plain word is left to memmem. */
#include "regexp/regexp.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "regexp/automaton.h"

struct regexp {
	struct arena arena; /* what the program refers to */
	struct program program;
	struct automaton *automaton; /* NULL if the literal says it all */
	struct str literal;
};

/* Whether the code points, as UTF-8, are found where the literal matches: a U+FFFD in the text may be a bad byte, and
 * surrogates have no UTF-8. */
static bool is_plain(const struct node *node)
{
	if (node->op != NODE_LITERAL || node->folded)
		return false;
	for (size_t i = 0; i < node->count; i++) {
		uint32_t character = node->characters[i];
		if (character == UTF8_BAD || (character >= 0xD800 && character <= 0xDFFF))
			return false;
	}
	return true;
}

static struct str literal_text(struct arena *arena, const struct node *node)
{
	char *text = arena_alloc_array(arena, node->count, 4);
	size_t length = 0;
	for (size_t i = 0; i < node->count; i++)
		length += utf8_encode(node->characters[i], text + length);
	return (struct str){ text, length };
}

static enum status compile(struct regexp *regexp, struct str pattern, struct error *err)
{
	struct node *root;
	enum status status = syntax_parse(pattern, &regexp->arena, &root, err);
	if (status != STATUS_OK)
		return status;
	const struct node *bare = root;
	while (bare->op == NODE_CAPTURE)
		bare = bare->first;
	if (is_plain(bare)) {
		regexp->literal = literal_text(&regexp->arena, bare);
		return STATUS_OK;
	}
	if (program_compile(&regexp->program, root, &regexp->arena) != STATUS_OK)
		return error_set(err, STATUS_INVALID, "error parsing regexp: expression too large: `%.*s`", STR_ARG(pattern));
	regexp->automaton = automaton_new(&regexp->program);
	return STATUS_OK;
}

enum status regexp_compile(struct str pattern, struct regexp **ret_regexp, struct error *err)
{
	struct regexp *regexp = xcalloc(1, sizeof(*regexp));
	arena_init(&regexp->arena);
	enum status status = compile(regexp, pattern, err);
	if (status != STATUS_OK) {
		regexp_free(regexp);
		return status;
	}
	*ret_regexp = regexp;
	return STATUS_OK;
}

void regexp_free(struct regexp *regexp)
{
	if (!regexp)
		return;
	if (regexp->automaton)
		automaton_free(regexp->automaton);
	program_release(&regexp->program);
	arena_release(&regexp->arena);
	free(regexp);
}

bool regexp_search(const struct regexp *regexp, struct str text)
{
	if (regexp->automaton)
		return automaton_search(regexp->automaton, text);
	return memmem(text.data, text.length, regexp->literal.data, regexp->literal.length) != NULL;
}
