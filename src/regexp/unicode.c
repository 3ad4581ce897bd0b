/* unicode.c - what \p{...} and case folding mean.
 *
 * The data are those of GNU libunistring. Its Unicode version need not be that of the Go release with which the reference was
 * built: characters that only one of the two knows belong to other classes then, and scripts that libunistring does not know
 * have no name here.
 *
 * libunistring answers for one character, a class wants ranges. So the characters are gone through when the first category, the
 * first script, or the first letter beyond ASCII under (?i) is met, once in the process each; any thread may come first.
 */
#include "regexp/char_class.h"

#include <pthread.h>
#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>

#include "base/xalloc.h"

/* --- simple case folding ------------------------------------------------------------------------------------------- */

/* The characters beyond ASCII that are equal to ASCII letters. */
#define LONG_S 0x17Fu
#define KELVIN_SIGN 0x212Au

/* All that have a case lie below. */
#define FOLD_END 0x20000u

/* A character, and where the entry of the next in its cycle is. */
struct fold {
	uint32_t character, next_ix;
};

static pthread_once_t folds_once = PTHREAD_ONCE_INIT;
static struct fold *folds; /* by character */
static size_t fold_count;

/* The first entry at or after the character. */
static size_t fold_at(uint32_t character)
{
	size_t low = 0, high = fold_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (character > folds[middle].character)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* One of those that simple case folding makes equal stands for all. */
static uint32_t fold_key(uint32_t character)
{
	/* Dotted I and dotless i, whose folding is Turkish, are themselves. */
	if (character == 0x130 || character == 0x131)
		return character;
	return uc_tolower(uc_toupper(character));
}

/* Marks the characters of low..high that have others, and the others. */
static void mark_folds(uint32_t low, uint32_t high, uint64_t marks[FOLD_END / 64])
{
	for (uint32_t character = low; character <= high; character++) {
		if (uc_tolower(character) == character && uc_toupper(character) == character)
			continue;
		uint32_t key = fold_key(character);
		/* The key can be one that maps to itself, as sharp s does. */
		marks[character / 64] |= UINT64_C(1) << character % 64;
		marks[key / 64] |= UINT64_C(1) << key % 64;
	}
}

/* Inserts each entry into the cycle of its key, behind the one that came last. */
static void link_folds(void)
{
	size_t *last_plus_1 = xcalloc(fold_count, sizeof(*last_plus_1));
	for (size_t i = 0; i < fold_count; i++) {
		size_t *last = &last_plus_1[fold_at(fold_key(folds[i].character))];
		if (*last > 0) {
			folds[i].next_ix = folds[*last - 1].next_ix;
			folds[*last - 1].next_ix = (uint32_t)i;
		}
		*last = i + 1;
	}
	free(last_plus_1);
}

static void make_folds(void)
{
	/* Between lie ideographs, Hangul, surrogates and private use, which have no case. */
	static const struct char_range scanned[] = { { 0, 0x2FFF }, { 0xA000, 0xABFF }, { 0xFB00, FOLD_END - 1 } };
	uint64_t marks[FOLD_END / 64] = { 0 };
	for (size_t i = 0; i < sizeof(scanned) / sizeof(scanned[0]); i++)
		mark_folds(scanned[i].low, scanned[i].high, marks);
	size_t capacity = 0;
	for (uint32_t i = 0; i < FOLD_END / 64; i++) {
		for (uint64_t left = marks[i]; left; left &= left - 1) {
			uint32_t character = i * 64 + (uint32_t)__builtin_ctzll(left);
			folds = xgrow(folds, fold_count, &capacity, sizeof(*folds));
			folds[fold_count] = (struct fold){ character, (uint32_t)fold_count };
			fold_count++;
		}
	}
	link_folds();
}

/* For the ASCII characters and the two that are equal to some: nothing need be looked up. */
static uint32_t fold_next_ascii(uint32_t character)
{
	switch (character) {
	case 'k':
		return KELVIN_SIGN;
	case 's':
		return LONG_S;
	case KELVIN_SIGN:
		return 'K';
	case LONG_S:
		return 'S';
	default:
		break;
	}
	bool letter = (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z');
	return letter ? character ^ 0x20 : character;
}

uint32_t unicode_fold_next(uint32_t character)
{
	if (character < 0x80 || character == KELVIN_SIGN || character == LONG_S)
		return fold_next_ascii(character);
	/* This spares the scan where signs or ideographs are the only ones beyond ASCII. */
	if (!uc_is_property_cased(character))
		return character;
	pthread_once(&folds_once, make_folds);
	size_t at = fold_at(character);
	return at < fold_count && folds[at].character == character ? folds[folds[at].next_ix].character : character;
}

/* Adds the others of the character, unless they are within low..high. */
static void add_others(struct char_class *class, uint32_t character, uint32_t low, uint32_t high)
{
	uint32_t other = unicode_fold_next(character);
	for (; other != character; other = unicode_fold_next(other)) {
		if (other < low || other > high)
			char_class_add(class, other, other);
	}
}

void char_class_add_folded(struct char_class *class, uint32_t low, uint32_t high)
{
	char_class_add(class, low, high);
	if (low == high) {
		add_others(class, low, low, high);
		return;
	}
	for (uint32_t character = low; character <= high && character < 0x80; character++)
		add_others(class, character, low, high);
	if (high < 0x80)
		return;
	/* Only what has an entry has others: a range of everything costs no more than the entries. */
	pthread_once(&folds_once, make_folds);
	for (size_t at = fold_at(low < 0x80 ? 0x80 : low); at < fold_count && folds[at].character <= high; at++) {
		for (size_t other = folds[at].next_ix; other != at; other = folds[other].next_ix) {
			uint32_t character = folds[other].character;
			if (character < low || character > high)
				char_class_add(class, character, character);
		}
	}
}

/* --- categories and scripts ---------------------------------------------------------------------------------------- */

/* From `first` to before the next run, all have this value: a category's bit, or a script's number. */
struct run {
	uint32_t first, value;
};

struct runs {
	struct run *items;
	size_t count;
};

static pthread_once_t categories_once = PTHREAD_ONCE_INIT, scripts_once = PTHREAD_ONCE_INIT;
static struct runs categories, scripts;

static uint32_t category_bit(uint32_t character)
{
	return uc_general_category(character).bitmask;
}

/* From 1; 0 is none. */
static uint32_t script_number(uint32_t character)
{
	const uc_script_t *all, *script = uc_script(character);
	size_t count;
	uc_all_scripts(&all, &count);
	return script ? (uint32_t)(script - all) + 1 : 0;
}

static void find_runs(uint32_t (*value_of)(uint32_t), struct runs *ret_runs)
{
	struct runs runs = { 0 };
	size_t capacity = 0;
	for (uint32_t character = 0; character <= CODE_POINT_MAX; character++) {
		uint32_t value = value_of(character);
		if (runs.count > 0 && runs.items[runs.count - 1].value == value)
			continue;
		runs.items = xgrow(runs.items, runs.count, &capacity, sizeof(*runs.items));
		runs.items[runs.count++] = (struct run){ character, value };
	}
	*ret_runs = runs;
}

static void find_categories(void)
{
	find_runs(category_bit, &categories);
}

static void find_scripts(void)
{
	find_runs(script_number, &scripts);
}

static void add_run(struct char_class *class, const struct runs *runs, size_t at)
{
	uint32_t end = at + 1 < runs->count ? runs->items[at + 1].first : CODE_POINT_MAX + 1;
	char_class_add(class, runs->items[at].first, end - 1);
}

static void add_categories(struct char_class *class, uint32_t bits)
{
	pthread_once(&categories_once, find_categories);
	for (size_t i = 0; i < categories.count; i++) {
		if (categories.items[i].value & bits)
			add_run(class, &categories, i);
	}
}

static void add_script(struct char_class *class, uint32_t number)
{
	pthread_once(&scripts_once, find_scripts);
	for (size_t i = 0; i < scripts.count; i++) {
		if (scripts.items[i].value == number)
			add_run(class, &scripts, i);
	}
}

/* --- names --------------------------------------------------------------------------------------------------------- */

#define NAME_SIZE 32

/* One capital, then small letters, without ' ', '-' and '_'. A name that is too long for any is cut, and not found. */
static void canonical_name(struct str name, char ret_name[NAME_SIZE])
{
	size_t length = 0;
	for (size_t i = 0; i < name.length && length < NAME_SIZE - 1; i++) {
		char c = name.data[i];
		if (c == '_' || c == '-' || c == ' ')
			continue;
		if (length == 0 && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (length > 0 && c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		ret_name[length++] = c;
	}
	ret_name[length] = '\0';
}

/* The bits of a category by its short name, its long name, or a second long name; 0 if it is none. */
static uint32_t category_bits(const char *name)
{
	static const struct {
		const char *alias, *name;
	} aliases[] = { { "Cntrl", "Cc" }, { "Combiningmark", "M" }, { "Digit", "Nd" }, { "Punct", "P" } };
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(aliases[i].alias, name) == 0)
			name = aliases[i].name;
	}
	return uc_general_category_byname(name).bitmask;
}

/* Numbered from 1; 0 if there is none of the name. */
static uint32_t find_script(const char *name)
{
	const uc_script_t *all;
	size_t count;
	uc_all_scripts(&all, &count);
	/* A name of several words has a '_', and so is not found; Go does not find it either. */
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i].name, name) == 0)
			return (uint32_t)i + 1;
	}
	return 0;
}

/* An id is the bits of a category, or one of these. */
#define ID_SCRIPT ((uint64_t)1 << 32) /* with the number added */
#define ID_ANY ((uint64_t)2 << 32)
#define ID_ASCII (ID_ANY + 1)
#define ID_ASSIGNED (ID_ANY + 2)
_Static_assert(ID_ASSIGNED >> UNICODE_CLASS_BITS == 0, "ids take more bits than the header says");

uint64_t unicode_class_find(struct str name)
{
	char canonical[NAME_SIZE];
	canonical_name(name, canonical);
	if (memchr(name.data, '\0', name.length))
		return 0;
	if (strcmp(canonical, "Any") == 0)
		return ID_ANY;
	if (strcmp(canonical, "Ascii") == 0)
		return ID_ASCII;
	if (strcmp(canonical, "Assigned") == 0)
		return ID_ASSIGNED;
	uint32_t bits = category_bits(canonical), script = bits ? 0 : find_script(canonical);
	return script ? ID_SCRIPT + script : bits;
}

void unicode_class_add(struct char_class *class, uint64_t id, bool folded)
{
	if (id == ID_ANY)
		char_class_add(class, 0, CODE_POINT_MAX);
	else if (id == ID_ASCII)
		char_class_add(class, 0, 0x7F);
	else if (id == ID_ASSIGNED)
		add_categories(class, ~(uint32_t)UC_CATEGORY_MASK_Cn);
	else if (id < ID_SCRIPT)
		add_categories(class, (uint32_t)id);
	else
		add_script(class, (uint32_t)(id - ID_SCRIPT));
	/* Go folds everything but LC, which so lacks U+0345. */
	if (folded && id != UC_CATEGORY_MASK_LC)
		char_class_fold(class);
}
