create table item (id int primary key, name text);
insert into item values (1, 'one'), (2, 'two'), (3, 'three');
select * from item where id > 1;
select * from missing;
insert into item values (1, 'again');
begin;
update item set name = 'new' where id < 3;
select 1/0;
select 1;
rollback;
drop table if exists nothing;
create role guest login password 'secret word';
/* a comment */ (select 1);
with gone as (delete from item where id = 3 returning *) select * from gone;
set application_name = 'other';
copy item from stdin;
7	seven
8	eight
\.
copy item to stdout;
do $$ begin raise warning 'careful'; end $$;
drop role guest;
drop table item;
