"""What `--help` says of a command beyond its line. Each ends with commands to type."""

DESCRIPTION = """\
Train recurrent networks, write every gate and state of every neuron at every step to Parquet,
and ask in SQL which neuron does what.

  unrolled run counting                        train, dump and score; ends with the answer
  unrolled top counting --hypothesis count_a   which neurons follow a hypothesis
  unrolled show counting lstm-1x10-seed0 L0/N4 text coloured by that neuron
  unrolled sql "select * from models"          anything else
"""

DUMP = """\
Write every signal of every neuron at every step, for an experiment's models or for a network that was trained
elsewhere. Such a network is called as model(tokens) and returns logits or (logits, state).

  unrolled dump counting
  unrolled dump --model char_rnn:make_model --weights char_rnn.safetensors \\
                --vocabulary vocabulary.json --corpus texts/ --window 200
"""

AUDIT = """\
Recheck what a run has stored, in SQL, and print one line for each invariant: digests, unfinished stages, one row
for each neuron and step, ranges, the equations of the states on every row, and every gate, recomputed from the
checkpoint's weights on as many steps as a few seconds allow. Tolerances follow the stored precision. Files that
are none of the lake's are named. Exit code 3 if anything is violated, or if something that was dumped could not be
checked: `unchecked` counts such dumps, and the note says why.

  unrolled audit counting
  unrolled audit counting --model lstm-1x10-seed0 --json
"""

RUNS = """\
List what the lake holds, show or remove one run, or clear up what no run needs.

  unrolled runs                      every run, and how far it has got
  unrolled runs show counting        its models, dumps and settings
  unrolled runs rm counting          what would be removed; --yes removes it (if killed half-way, run it again)
  unrolled runs gc --dry-run         same as `unrolled gc --dry-run`
"""

GC = """\
Remove what no run needs: what killed writers left behind more than a day ago (temporary files, unfinished
uploads), the remains of a run whose removal was cut short, shards of a complete run that no manifest lists, saved
states that are no longer needed to resume, and dead leases. What a manifest lists is kept, and so is all that
belongs to a run that is incomplete or being worked on.

  unrolled gc --dry-run              what would be removed, by kind
  unrolled gc --older-than 2         leftovers of writers killed more than two hours ago
"""

DOCTOR = """\
Check what a run needs, one line each: libraries, credentials (where they were found, never what they are), the
root (a small object is written, read, refused a second time and removed), free disk space, DuckDB, Ray and torch.
Nothing is changed or left behind, and anything that does not answer is given up on after a few seconds. Each line
begins with ok, warn or fail; if it is not ok, it says what to type. Exit code 0, or 5 if a check failed.

  unrolled doctor
  unrolled doctor --root s3://my-bucket/lake
"""

TOP = """\
The neurons that follow a hypothesis best, ranked by one half of the distinct texts.

  value       the measure over all steps: pearson, or auc of hypotheses that say yes or no or name a category
  held_out    the same over the other half of the texts, which had no part in the choice
  null_value  what it reaches one time in twenty when whole texts swap their annotations, position being kept
  q_value     the share of false finds among all neurons, signals and hypotheses that far from chance
  untrained   the best that any neuron of that layer has at checkpoint 0, if it was dumped

  unrolled top counting --hypothesis remaining_b
  unrolled top copying --hypothesis copy_slot_1 --signal cell_state --limit 5
"""

CLAIMS = """\
Whether the claims about a run's task, most of them from the article "Exploring LSTMs", hold of its networks: a
line for each network, with the neuron concerned and the figures that decide. Each claim is a file of SQL in
pipeline/queries/claims/; its thresholds are parameters, and the unit is the distinct text.

  unrolled claims counting                 of each model's last checkpoint
  unrolled claims counting --checkpoint 0  of the networks before training: what holds of them says little
  unrolled sql -f claims/counts --set run=counting --set least=0.999
"""

WRITE = """\
Let a trained model write: it reads the prompt, then its own output. The same command always writes the same text.
Nothing is stored unless --dump is given.

  unrolled write python_source --prompt "def " --length 400 --temperature 0.6
  unrolled write python_source --greedy --samples 1
  unrolled write python_source --stored    what every checkpoint wrote ([sample] in the experiment)
"""

ROLES = """\
List a model's neurons with what each of them does, and the evidence: figures over the distinct texts that it read.

  counter     adds the same at each character that it counts; position taken out, the count still explains it
  latch       holds a character that was read earlier, while others are read
  copier      follows a slot (a letter that comes again), or the next character
  switch      has two values, by the character just read
  clock       follows the position, whatever is read
  dead        never varies;  saturated: is nearly always at the ends of its range, and nothing else

Where the texts cannot tell a count from the position, it says "counter or clock". A neuron without a role is
counted in the last line. docs/roles.md has the thresholds and their reasons.

  unrolled roles counting lstm-1x10-seed0
  unrolled roles counting lstm-1x10-seed0 --checkpoint 0   the same network before it was trained
  unrolled roles counting lstm-1x10-seed0 --json           every figure by name
"""
