{{ config(materialized='external', location=env_var('ANABRANCH_OUT_REVENUE')) }}
select customer, sum(amount)::double as amount from {{ ref('stg_orders') }} group by customer order by customer
