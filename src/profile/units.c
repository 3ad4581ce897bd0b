/* units.c - unit families and the texts made of them. */
#include "profile/units.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

struct unit_entry {
	const char *canonical;
	const char *aliases[4];
	double factor;
};

struct unit_family {
	const char *default_unit;
	double default_factor;
	const struct unit_entry *entries;
	size_t count;
};

#define KIB 1024.0

static const struct unit_entry memory_units[] = {
	{ "B", { "b", "byte" }, 1 },
	{ "kB", { "kb", "kbyte", "kilobyte" }, KIB },
	{ "MB", { "mb", "mbyte", "megabyte" }, KIB *KIB },
	{ "GB", { "gb", "gbyte", "gigabyte" }, KIB *KIB *KIB },
	{ "TB", { "tb", "tbyte", "terabyte" }, KIB *KIB *KIB *KIB },
	{ "PB", { "pb", "pbyte", "petabyte" }, KIB *KIB *KIB *KIB *KIB },
};

static const struct unit_entry time_units[] = {
	{ "ns", { "ns", "nanosecond" }, 1 },    { "us", { "\xCE\xBCs", "us", "microsecond" }, 1e3 },
	{ "ms", { "ms", "millisecond" }, 1e6 }, { "s", { "s", "sec", "second" }, 1e9 },
	{ "hrs", { "hour", "hr" }, 3600e9 },
};

static const struct unit_entry gcu_units[] = {
	{ "n*GCU", { "nanogcu" }, 1e-9 }, { "u*GCU", { "microgcu" }, 1e-6 }, { "m*GCU", { "milligcu" }, 1e-3 },
	{ "GCU", { "gcu" }, 1 },          { "k*GCU", { "kilogcu" }, 1e3 },   { "M*GCU", { "megagcu" }, 1e6 },
	{ "G*GCU", { "gigagcu" }, 1e9 },  { "T*GCU", { "teragcu" }, 1e12 },  { "P*GCU", { "petagcu" }, 1e15 },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct unit_family families[] = {
	{ "B", 1, memory_units, COUNT(memory_units) },
	{ "s", 1e9, time_units, COUNT(time_units) },
	{ "GCU", 1, gcu_units, COUNT(gcu_units) },
};

static const struct unit_entry *entry_find(const struct unit_family *family, struct str alias)
{
	for (size_t i = 0; i < family->count; i++) {
		const char *const *aliases = family->entries[i].aliases;
		for (size_t k = 0; k < 4 && aliases[k]; k++) {
			if (str_equal(alias, str_of(aliases[k])))
				return &family->entries[i];
		}
	}
	return NULL;
}

/* The entry that a unit name means: case does not matter, nor does a plural s. */
static const struct unit_entry *entry_sniff(const struct unit_family *family, struct str name)
{
	char lower[32];
	if (name.length == 0 || name.length >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i < name.length; i++)
		lower[i] = (char)tolower((unsigned char)name.data[i]);
	size_t length = name.length;
	if (length > 2 && lower[length - 1] == 's')
		length--;
	return entry_find(family, (struct str){ lower, length });
}

struct unit unit_find(struct str name)
{
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct unit_entry *entry = entry_sniff(&families[i], name);
		if (entry)
			return (struct unit){ &families[i], entry->factor, name };
	}
	return (struct unit){ NULL, 1, name };
}

bool units_related(struct str a, struct str b)
{
	const struct unit_family *family = unit_find(a).family;
	return family && family == unit_find(b).family;
}

static bool is_auto(struct str unit)
{
	return str_equal(unit, STR_LITERAL("minimum")) || str_equal(unit, STR_LITERAL("auto"));
}

static double scale_in_family(const struct unit_family *family, double base_value, struct str to, struct str *ret_unit)
{
	if (is_auto(to)) {
		const struct unit_entry *best = NULL;
		for (size_t i = 0; i < family->count; i++) {
			const struct unit_entry *entry = &family->entries[i];
			if ((!best || entry->factor >= best->factor) && base_value / entry->factor >= 1.0)
				best = entry;
		}
		if (best) {
			*ret_unit = str_of(best->canonical);
			return base_value / best->factor;
		}
	} else {
		const struct unit_entry *entry = entry_sniff(family, to);
		if (entry) {
			*ret_unit = str_of(entry->canonical);
			return base_value / entry->factor;
		}
	}
	*ret_unit = str_of(family->default_unit);
	return base_value / family->default_factor;
}

static bool is_uninteresting(struct str unit)
{
	static const char *const units[] = { "count", "sample", "unit", "minimum", "auto" };
	for (size_t i = 0; i < COUNT(units); i++) {
		if (str_equal(unit, str_of(units[i])))
			return true;
	}
	return false;
}

double unit_scale(int64_t value, struct str from, struct str to, struct str *ret_unit)
{
	/* By magnitude, so that a negative value gets the unit of its positive twin; INT64_MIN has none. */
	if (value < 0 && value != INT64_MIN)
		return -unit_scale(-value, from, to, ret_unit);
	struct unit unit = unit_find(from);
	if (unit.family)
		return scale_in_family(unit.family, (double)value * unit.factor, to, ret_unit);
	*ret_unit = is_uninteresting(to) ? STR_LITERAL("") : to;
	return (double)value;
}

/* Whole numbers below 2^53 need no printf: most values of most reports. Returns 0 if it is not one. */
static size_t whole_number(char *text, double value)
{
	if (!(value > -9e15 && value < 9e15) || value != (double)(int64_t)value)
		return 0;
	int64_t whole = (int64_t)value;
	uint64_t magnitude = whole < 0 ? (uint64_t)-whole : (uint64_t)whole;
	char digits[24];
	size_t count = 0, length = 0;
	do {
		digits[count++] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude);
	if (whole < 0)
		text[length++] = '-';
	while (count)
		text[length++] = digits[--count];
	return length;
}

size_t unit_label(char text[UNIT_LABEL_SIZE], int64_t value, struct str from, struct str to)
{
	struct str unit;
	double scaled = unit_scale(value, from, to, &unit);
	size_t length = whole_number(text, scaled);
	if (!length) {
		length = (size_t)snprintf(text, UNIT_LABEL_SIZE, "%.2f", scaled);
		if (length > 3 && memcmp(text + length - 3, ".00", 3) == 0)
			length -= 3;
	}
	if ((length == 1 && text[0] == '0') || (length == 2 && text[0] == '-' && text[1] == '0')) {
		memcpy(text, "0", 2);
		return 1;
	}
	size_t room = UNIT_LABEL_SIZE - 1 - length;
	size_t unit_length = unit.length < room ? unit.length : room;
	memcpy(text + length, unit.data, unit_length);
	text[length + unit_length] = '\0';
	return length + unit_length;
}

size_t percentage_text(char text[PERCENTAGE_SIZE], int64_t value, int64_t total)
{
	double ratio = total ? fabs((double)value / (double)total) * 100 : 0;
	if (ratio >= 99.95 && ratio <= 100.05) {
		memcpy(text, "  100%", 7);
		return 6;
	}
	return (size_t)snprintf(text, PERCENTAGE_SIZE, ratio >= 1.0 ? "%5.2f%%" : "%5.2g%%", ratio);
}
