/* automaton.h - runs a program over texts: a deterministic automaton that is made while it runs.
 *
 * Each byte of a text is looked at once, whatever the pattern: there is no backtracking, and nothing to give up. States
 * are kept between searches up to a ceiling of memory, then forgotten and made again.
 */
#ifndef CPPROF_REGEXP_AUTOMATON_H
#define CPPROF_REGEXP_AUTOMATON_H

#include "base/str.h"
#include "regexp/program.h"

struct automaton;

/* The program is used as long as the automaton is; its classes only here. */
struct automaton *automaton_new(const struct program *program);
void automaton_free(struct automaton *automaton);
/* True if the program matches somewhere in the text. A byte that is not UTF-8 is one U+FFFD. */
bool automaton_search(struct automaton *automaton, struct str text);

#endif
