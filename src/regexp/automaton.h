/* automaton.h - runs a program over texts: a deterministic automaton that is made while it runs.
 *
 * There is no backtracking, and nothing to give up: each byte of a text is looked at once. That is one look into a table where
 * the state that follows is known already. Where it is not, it is made, in time proportional to the size of the program. States
 * are kept between searches up to a ceiling of memory, then forgotten and made again: a pattern and a text that bring
 * ever new states pay the size of the program for every byte, and no pair pays more.
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
