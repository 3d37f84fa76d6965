-- question: What did each checkpoint write?
-- parameter run text: the run's id
-- parameter model text = : one model; default: all
-- parameter checkpoint integer = : number of updates; default: all
-- tables: samples
select model, checkpoint, temperature, top_k, sample, prompt, text, round(bits_per_char, 3) as bits_per_char
from samples
where run = $run
  and model = coalesce($model, model)
  and checkpoint = coalesce($checkpoint, checkpoint)
order by model, checkpoint, temperature, sample
