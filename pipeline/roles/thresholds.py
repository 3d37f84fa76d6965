"""From where on a neuron is said to have a role. Each figure has its reason; docs/roles.md lists them too.

What a role needs is meant to be far from what chance gives: the best neuron of an untrained network follows
`count_a` with r = 0.98 through position alone, so agreement with a count says nothing until position is taken out.
"""

LEAST_TEXTS = 4  # distinct texts: with fewer, every figure of a difference between texts stands on two or three
# What is read of a probe split, in the order of its sequences: with these a layer of 512 neurons takes some 25 s
# of one core that is free, and 64 neurons, which are read and worked at once, 220 MB.
MOST_TEXTS = 256
MOST_LENGTH = 2_048  # steps of a text; what is longer is cut, and texts that begin alike are one
MOST_STEPS = 32_768
GROUP_NEURONS = 64

# Explained variance from which a state is said to follow something: what is left, a tenth, is a standard deviation
# of a third of the state's own, and two values three times as far apart as they are wide are hardly ever mixed up.
FOLLOWS = 0.9

# Of a state's variance, at the steps that are asked about: with less it hardly moves there, whatever explains it.
TRACE = 0.01

# A counter.
LINEAR = 0.95  # R squared of the state against the count: of counts up to 8, evenly read, half a count is left
REPEATED = 3  # times in one text: what comes more rarely may just as well be noticed as counted
ADDS = 0.5  # the state after a character must keep at least this much of the state before it; with less it resets
# Of the mean square of a counted character's changes, the square of their mean: they spread by half of it.
ALIKE = 0.8
COUNTED = 0.5  # of the largest slope: with less, a character is taken for half of one rather than for one
BLIND = 0.1  # of the largest slope: ten such characters would be taken for one that is counted
# Of the state's range, moved by what is counted: with less, the rest is what the state is about.
COUNTED_RANGE = 0.25
# Slopes between the smallest and the largest count: what only goes to 2 is held rather than counted.
COUNTED_TO = 2.5
# Of what varies between texts at one position, explained by the count: more than is left over.
BEYOND_POSITION = 0.5
COUNT_IS_POSITION = 0.01  # of the count's variance, at one position: with less, no data tells count from position
SAME_SIZE = 0.25  # slopes within a quarter of their mean size: one each, up or down; else it is a weighted sum
STILL_COUNTS = 0.5  # largest drift: a slope of half or less at the largest counts has stopped counting
LARGEST_COUNTS, SMALLER_COUNTS = 0.75, 0.5  # of the largest count: drift compares slopes above and below
FARTHEST_PREDICTION = 1_000  # sizes beyond: a drift so small is not known well enough to say where it will fail

# A latch.
HELD_STEPS = 3  # steps that others read: any state still shows a little of the last character or two
# Of the distance between two states when they are set: with less left, they are not held any more.
HELD_SHARE = 0.5
HELD_APART = 0.25  # of the state's range, between what is held: where nothing else varies, any trace is explained
HELD_PLACES = 8  # first positions of a text whose character may be what is held, or a slot that is copied
FARTHEST_COPY = 64  # steps between a slot and its copy
# Of the texts, or of the steps that hold: what is rarer says little; such first characters count as one.
COMMON = 0.1
SETS, HOLDS = 0.25, 0.75  # share of the state before a character that is left after it
HELD_STILL = 0.1  # of the state's range, moved by a character over which a state is held
OFTEN_HELD = 0.3  # of all steps: a state that is set nearly everywhere is the character's

# Others.
# Of a text, that a clock is not told by: a state begins at 0, and moves from there whatever is read.
FIRST_STEPS = 2
DEAD_RANGE = 1e-3  # of a hidden state's range of 1 or 2: as fine as the precision `half` is near 1
AT_THE_ENDS = 0.9  # |hidden state|: a twentieth of the range is left; Karpathy et al. (2015) leave gates a tenth
SATURATED_SHARE = 0.9  # of the steps
