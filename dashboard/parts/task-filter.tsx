/** The fields by which tasks are found, wherever tasks are filtered. They are read from the form by their names. */
import { ERROR_CLASSES } from '../../shared/task/error-class.ts';

export function TaskFilterFields({ query }: { query: URLSearchParams }) {
  return (
    <>
      <Text label="Service" name="service" query={query} />
      <Choice label="Error" name="errorClass" query={query} options={ERROR_CLASSES} />
      <Text label="Label" name="label" query={query} placeholder="customer:acme" />
      <Text label="Group" name="group" query={query} />
    </>
  );
}

interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly query: URLSearchParams;
}

export function Text({ label, name, query, placeholder }: FieldProps & { readonly placeholder?: string }) {
  return (
    <label>
      {label}
      <input name={name} defaultValue={query.get(name) ?? ''} placeholder={placeholder} />
    </label>
  );
}

/** One of some, or any. */
export function Choice({ label, name, query, options }: FieldProps & { readonly options: readonly string[] }) {
  return (
    <label>
      {label}
      <select name={name}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option} value={option} selected={query.get(name) === option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What stands in a field; undefined when nothing does. */
export function textIn(form: FormData, name: string): string | undefined {
  return String(form.get(name) ?? '').trim() || undefined;
}
