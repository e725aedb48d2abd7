/** Style sheets go into a file of their own when the dashboard is bundled. */
declare module '*.css' {}
