-- information_schema.routines, parameters, triggers.
create table acc (id int primary key, owner text);
create view shown as select * from acc;
create function f1(a int, b text default 'x', variadic c numeric[] default '{}') returns text language sql immutable strict as 'select b';
create function f2(a acc, out x int, inout y text) language plpgsql security definer as $$ begin x := 1; end $$;
create function f3() returns setof acc language sql stable as 'select * from acc';
create function f4(acc[]) returns table (p int, q acc) language sql as 'select id, acc from acc';
create procedure pr(inout n int, t timestamptz) language plpgsql as $$ begin n := 1; end $$;
create function tg() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger b before insert or update on acc for each row when (new.id > 0) execute function tg('x', 'y');
create trigger a before update on acc for each row execute function tg();
create trigger c after update on acc referencing old table as was new table as becomes for each statement execute function tg();
create trigger d after delete on acc for each statement execute function tg();
create trigger i instead of insert on shown for each row execute function tg();
\pset expanded on
select specific_catalog = current_database() as c, regexp_replace(specific_name, '\d+$', '') as specific, routine_schema, routine_name, routine_type, module_name, udt_name, data_type,
  character_maximum_length, numeric_precision, type_udt_schema, type_udt_name, scope_name, maximum_cardinality, dtd_identifier, routine_body, routine_definition, external_name,
  external_language, parameter_style, is_deterministic, sql_data_access, is_null_call, sql_path, schema_level_routine, max_dynamic_result_sets, is_user_defined_cast,
  is_implicitly_invocable, security_type, to_sql_specific_name, as_locator, created, last_altered, new_savepoint_level, is_udt_dependent, result_cast_from_data_type,
  result_cast_as_locator, result_cast_dtd_identifier from information_schema.routines where routine_schema = 'public' order by routine_name;
\pset expanded off
select regexp_replace(specific_name, '\d+$', '') as specific, ordinal_position as n, parameter_mode as mode, is_result, as_locator, parameter_name, data_type, numeric_precision as p, udt_schema,
  udt_name, dtd_identifier, parameter_default from information_schema.parameters where specific_schema = 'public' order by 1, 2;
select trigger_schema, trigger_name, event_manipulation, event_object_table, action_order, action_condition, action_statement, action_orientation, action_timing,
  action_reference_old_table, action_reference_new_table, action_reference_old_row, created from information_schema.triggers where trigger_schema = 'public' order by 4, 2, 3;
