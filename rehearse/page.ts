/**
 * A list that is answered page by page, and the three ways in which the API says how long it is: by the count of
 * pages (queues), by the count of items and none of pages (D1), or inside the result, without any count (versions).
 */
export class Page {
  readonly #items: readonly unknown[];
  readonly #form: 'pages' | 'count' | 'items';

  constructor(items: readonly unknown[], form: 'pages' | 'count' | 'items') {
    this.#items = items;
    this.#form = form;
  }

  answer(query: URLSearchParams) {
    const page = Number(query.get('page') ?? 1);
    const perPage = Math.min(Number(query.get('per_page') ?? 20), 100);
    const items = this.#items.slice((page - 1) * perPage, page * perPage);
    const known = { page, per_page: perPage };
    const total = this.#items.length;
    switch (this.#form) {
      case 'pages':
        return {
          result: items,
          result_info: { ...known, count: items.length, total_count: total, total_pages: Math.ceil(total / perPage) },
        };
      case 'count':
        return { result: items, result_info: { ...known, count: items.length, total_count: total } };
      case 'items':
        return { result: { items }, result_info: known };
    }
  }
}
