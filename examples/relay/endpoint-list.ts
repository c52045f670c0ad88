/** A provider's endpoints, page by page: a connection in a refetchable fragment, so that Relay writes the next page's query. */
import { graphql } from "./graphql-tag";

export const endpointListQuery = graphql`
  query endpointListQuery($count: Int!, $filter: EndpointFilter) {
    ...endpointList_query @arguments(count: $count, filter: $filter)
  }
`;

export const endpointListFragment = graphql`
  fragment endpointList_query on Query
  @refetchable(queryName: "endpointListPageQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }, filter: { type: "EndpointFilter" }) {
    endpoints(first: $count, after: $cursor, filter: $filter) @connection(key: "endpointList_endpoints") {
      edges {
        node {
          id
          ...endpointCard_endpoint
        }
      }
    }
  }
`;
