/* truth_plugin.c - what a program loads at run time and then spends its time in. Built twice, as SPINS=alpha_spins and SPINS=beta_spins: the
 * same but for names, so that one may come to lie where the other was.
 */
void SPINS(const volatile int *stop);

static unsigned long work;

void SPINS(const volatile int *stop)
{
	while (!*stop) {
		for (int i = 0; i < 10000; i++)
			work = work * 6364136223846793005ul + 1442695040888963407ul; /* spins here */
	}
}
