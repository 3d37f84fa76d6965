-- question: What did each checkpoint write?
-- parameter run run: the run's id, or the start of it
-- parameter model model = : one model; default: all
-- parameter checkpoint checkpoint = : number of updates; default: all
-- tables: samples
select model, checkpoint, temperature, top_k, sample, prompt, text, bits_per_char
from samples
where run = $run
  and model = coalesce($model, model)
  and checkpoint = coalesce($checkpoint, checkpoint)
order by model, checkpoint, temperature, sample
