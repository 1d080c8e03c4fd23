select id, customer, amount from read_csv('{{ env_var("ANABRANCH_IN_ORDERS") }}')
