"""What makes the operators of the bank fast, trick by trick, with what each saves.

The figures are parts of what a pair of the benchmark costs (`perf/views.py`): what the operators
that use a trick would take longer without it, in processor time of one core, weighted by how often
they are drawn (11 of 26 a photo).

| trick | where | saves |
| --- | --- | --- |
| Wide Gaussians on every fourth row and column | `coarse_blur` | 139 % |
| Powers of Lab as polynomials | `color_spaces` | 76 % |
| Normal numbers out of a codebook, 32 at a time | `random_fields` | 41 % or more |
| Colours of a whole photo in compiled chunks | `programs.in_chunks` | 8 % |
| Sums over fixed places for factors up to 4 | `resampling` | 8 % |
| Linear light and cube roots as programs of their own | `color_spaces` | 5 % |

Matrix products save nothing at factors of 8 and 16, but sums there would compile for a minute more.
Gone are sums of four pixels in disks and lines and weights of jitter of their own (a pair takes
1.59 ms with and without them, side by side on two cores), rounds of jitter with weights as even and
odd functions (1 %), jitter window by window (it cost 1 %), squares of `color_block` as bits of a
number (less than 1 %), and copied patches that are followed back by doubling steps (1 %, for 35
lines of code).
"""
