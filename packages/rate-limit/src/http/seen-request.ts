/**
 * The request that the functions of the options see: `Usual`, unless one of them, or the route that the middleware is given to, says
 * which it is.
 */
export type SeenRequest<Request, Usual> = unknown extends Request
  ? Usual
  : [Request] extends [never]
    ? Usual
    : Request
