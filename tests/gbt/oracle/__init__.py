"""The codec of GB/T 32960.3 beside a public one: every field, faults excused one by one."""
