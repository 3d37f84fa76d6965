-- What layer 0 of an imported network is given at each token of the sampled steps, and its values' sizes: each is
-- as much larger as its error is, so that $float32 of it is that error. Empty for a network of ours.
select
  token, given::double[] as given,
  list_transform(given, x -> abs(x::double) + error / $float32) as sizes
from token_inputs
where token in (select token from sampled_steps)
