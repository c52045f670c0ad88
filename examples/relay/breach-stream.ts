/** Breaches as they open and close: `cursor` of the last message goes into `after` when the socket was lost. */
import { graphql } from "./graphql-tag";

export const breachStreamSubscription = graphql`
  subscription breachStreamSubscription($after: String) {
    slaBreaches(after: $after) {
      __typename
      ... on SlaBreachEvent {
        cursor
        change
        node {
          id
          kind
          open
          openedAt
          closedAt
        }
      }
      ... on StreamCheckpoint {
        cursor
      }
    }
  }
`;
