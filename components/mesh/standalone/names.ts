/** As `meshup:mesh` names it. */
export const name = "standalone";
