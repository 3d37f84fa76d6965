-- question: How many rows and bytes did a run write?
-- parameter run run: the run's id, or the start of it
-- tables: shards
select "table", count(*) as shards, sum(rows) as rows, sum(bytes) as bytes
from shards
where run = $run and "table" is not null
group by "table"
order by bytes desc
