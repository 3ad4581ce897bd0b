/* cpu_plugin.c - a library that uses processor time. */
void plugin_spin(void);

__attribute__((visibility("default"))) void plugin_spin(void)
{
	for (volatile unsigned i = 0; i < 50000; i++)
		;
}
