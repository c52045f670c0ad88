/** Moves money: the key makes a repeated mutation answer the first result and move nothing twice. */
import { graphql } from "./graphql-tag";

export const drawdownCreateMutation = graphql`
  mutation drawdownCreateMutation($input: DrawdownCreateInput!, $key: String!) {
    drawdownCreate(input: $input) @idempotent(key: $key) {
      creditLot {
        id
        issued {
          amount
          currency
        }
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`;
